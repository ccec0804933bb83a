package wallet

import (
	"context"

	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
	"github.com/plinth-id/plinth/wallet/present"
)

type askIn struct {
	Link string `json:"link"`
}

type askOut struct {
	State string `json:"state"`
	present.Asked
}

func (c *Counter) ask(ctx context.Context, in askIn) (askOut, error) {
	s, err := c.desk.Open(ctx, in.Link)
	if err != nil {
		return askOut{}, err
	}
	state, err := c.hold("show", s, stepLife)
	return askOut{state, s.Asked}, err
}

type matchIn struct {
	held
	Cards []holder.Card `json:"cards"`
}

type matchOut struct {
	State string `json:"state"`
	present.Choices
}

func (c *Counter) match(_ context.Context, in matchIn) (matchOut, error) {
	var s present.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return matchOut{}, err
	}
	choices, err := c.desk.Match(&s, in.Cards)
	if err != nil {
		return matchOut{}, err
	}
	state, err := c.hold("show", &s, stepLife)
	return matchOut{state, choices}, err
}

// shown is the answer to the last steps.
type shown struct {
	State string `json:"state,omitempty"`
	present.Turn
}

func (c *Counter) showing(s *present.Show, turn present.Turn, err error) (shown, error) {
	out := shown{Turn: turn}
	if err == nil && !turn.Done {
		out.State, err = c.hold("show", s, stepLife)
	}
	return out, err
}

type chooseIn struct {
	held
	Choices []present.Choice `json:"choices"`
}

func (c *Counter) choose(ctx context.Context, in chooseIn) (shown, error) {
	var s present.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return shown{}, err
	}
	keys, err := holder.ParseKeys(in.Keys)
	if err != nil {
		return shown{}, err
	}
	turn, err := c.desk.Choose(ctx, &s, in.Choices, keys)
	return c.showing(&s, turn, err)
}

func (c *Counter) answer(ctx context.Context, in held) (shown, error) {
	var s present.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return shown{}, err
	}
	turn, err := c.desk.Answer(ctx, &s, in.Signatures)
	return c.showing(&s, turn, err)
}

func (c *Counter) refuse(ctx context.Context, in held) (shown, error) {
	var s present.Show
	if err := c.resume("show", in.State, &s); err != nil {
		return shown{}, err
	}
	turn, err := c.desk.Refuse(ctx, &s)
	return shown{Turn: turn}, err
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
	Owner errand.Owner `json:"owner"`
	Name  string       `json:"name"`
}

func (c *Counter) prove(_ context.Context, in proveIn) (said, error) {
	var b errand.Binding
	if err := c.resume("bind", in.State, &b); err != nil {
		return said{}, err
	}
	keys, err := holder.ParseKeys(in.Keys)
	if err != nil || len(keys) != 1 {
		return said{}, errStep.Because(err)
	}
	turn, err := c.run.Bind(&b, keys[0], in.Owner, in.Name)
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
	keys, err := holder.ParseKeys(in.Keys)
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
	Status []holder.Status `json:"status"`
}

func (c *Counter) status(ctx context.Context, in statusIn) (map[string]string, error) {
	return map[string]string{"state": string(c.run.Check(ctx, in.Issuer, in.Status))}, nil
}
