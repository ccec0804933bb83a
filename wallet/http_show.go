package wallet

import (
	"context"

	"github.com/plinth-id/plinth/wallet/errand"
)

type askIn struct {
	Link string `json:"link"`
}

type askOut struct {
	State string `json:"state"`
	errand.Asked
}

func (c *Counter) ask(ctx context.Context, in askIn) (askOut, error) {
	s, err := c.run.Open(ctx, in.Link)
	if err != nil {
		return askOut{}, err
	}
	state, err := c.hold("show", s, stepLife)
	return askOut{state, s.Asked}, err
}

type matchIn struct {
	held
	Cards []errand.Card `json:"cards"`
}

type matchOut struct {
	State string `json:"state"`
	errand.Choices
}

func (c *Counter) match(_ context.Context, in matchIn) (matchOut, error) {
	var s errand.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return matchOut{}, err
	}
	choices, err := c.run.Match(&s, in.Cards)
	if err != nil {
		return matchOut{}, err
	}
	state, err := c.hold("show", &s, stepLife)
	return matchOut{state, choices}, err
}

type chooseIn struct {
	held
	Choices []errand.Choice `json:"choices"`
}

func (c *Counter) choose(ctx context.Context, in chooseIn) (said, error) {
	var s errand.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return said{}, err
	}
	keys, err := errand.ParseKeys(in.Keys)
	if err != nil {
		return said{}, err
	}
	turn, err := c.run.Choose(ctx, &s, in.Choices, keys)
	return c.turned("show", &s, turn, err)
}

func (c *Counter) answer(ctx context.Context, in held) (said, error) {
	var s errand.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return said{}, err
	}
	turn, err := c.run.Answer(ctx, &s, in.Signatures)
	return c.turned("show", &s, turn, err)
}

func (c *Counter) refuse(ctx context.Context, in held) (said, error) {
	var s errand.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return said{}, err
	}
	turn, err := c.run.Refuse(ctx, &s)
	return said{Turn: turn}, err
}

type bindIn struct {
	Server string `json:"server"`
	Number string `json:"number"`
}

func (c *Counter) bind(ctx context.Context, in bindIn) (said, error) {
	b, err := c.run.BeginBinding(ctx, in.Server, in.Number)
	return c.turned("bind", b, errand.Turn{}, err)
}

type proveIn struct {
	held
	Code string `json:"code"`
	Name string `json:"name"`
}

func (c *Counter) prove(_ context.Context, in proveIn) (said, error) {
	var b errand.Binding
	if err := c.resume("bind", in.State, &b); err != nil {
		return said{}, err
	}
	keys, err := errand.ParseKeys(in.Keys)
	if err != nil || len(keys) != 1 {
		return said{}, errStep.Because(err)
	}
	turn, err := c.run.Bind(&b, keys[0], in.Code, in.Name)
	return c.turned("bind", &b, turn, err)
}

func (c *Counter) bound(ctx context.Context, in held) (map[string]string, error) {
	var b errand.Binding
	if err := c.resume("bind", in.State, &b); err != nil {
		return nil, err
	}
	id, err := c.run.Bound(ctx, &b, in.Signatures)
	return map[string]string{"kid": id}, err
}

type linkIn struct {
	Link   string `json:"link"`
	Server string `json:"server"`
}

type linkOut struct {
	State string `json:"state"`
	errand.Link
}

func (c *Counter) link(ctx context.Context, in linkIn) (linkOut, error) {
	l, err := c.run.OpenLink(ctx, in.Link, in.Server)
	if err != nil {
		return linkOut{}, err
	}
	state, err := c.hold("login", l, stepLife)
	return linkOut{state, l.Link}, err
}

type allowIn struct {
	held
	ID      string   `json:"kid"`
	Number  string   `json:"number"`
	Allowed []string `json:"allowed"`
}

func (c *Counter) allow(_ context.Context, in allowIn) (said, error) {
	var l errand.Login
	if err := c.resume("login", in.State, &l); err != nil {
		return said{}, err
	}
	keys, err := errand.ParseKeys(in.Keys)
	if err != nil || len(keys) != 1 {
		return said{}, errStep.Because(err)
	}
	turn, err := c.run.Allow(&l, keys[0], in.ID, in.Number, in.Allowed)
	return c.turned("login", &l, turn, err)
}

func (c *Counter) allowed(ctx context.Context, in held) (said, error) {
	var l errand.Login
	if err := c.resume("login", in.State, &l); err != nil {
		return said{}, err
	}
	turn, err := c.run.Allowed(ctx, &l, in.Signatures)
	return said{Turn: turn}, err
}

type statusIn struct {
	Issuer string          `json:"issuer"`
	Status []errand.Status `json:"status"`
}

func (c *Counter) status(ctx context.Context, in statusIn) (map[string]string, error) {
	return map[string]string{"state": string(c.run.Check(ctx, in.Issuer, in.Status))}, nil
}
