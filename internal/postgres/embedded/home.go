package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/plinth-id/plinth/internal/fault"
)

// stateDir is where the data goes when the data directory is closed to the user
// that runs Postgres.
const stateDir = "/var/lib/plinth"

// The path of a Unix socket has at most 107 bytes.
const longestSockets = 107 - len("/.s.PGSQL.5432.lock")

// prepare finds or makes everything that launch needs, and starts nothing.
func prepare(config Config) (*cluster, error) {
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", config.Dir, err)
	}
	// Others may pass through, not look: Postgres runs as another user when we are root.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	// Two copies started at once must not meet each other's half-made directories.
	turn, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the data directory: %w", err)
	}
	defer turn.Close()
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	c := &cluster{lock: filepath.Join(dir, "postgres.lock"), fast: config.Fast}
	if c.credential, err = unprivileged(); err != nil {
		return nil, err
	}
	if err := c.settle(dir); err != nil {
		return nil, err
	}
	if c.bin, err = binaries(c.data()); err != nil {
		return nil, err
	}
	c.place()
	return c, nil
}

// unprivileged is the user that runs Postgres when we are root, which it refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "Postgres does not run as root, and this machine has neither a user postgres nor nobody. Add one: useradd --system postgres.")
}

// settle chooses the home of the data: Dir/postgres, or a directory of the system
// when the user that runs Postgres cannot get there. The choice is remembered, so
// that a later change of permissions does not seem to lose everything.
func (c *cluster) settle(dir string) error {
	memory := filepath.Join(dir, "postgres.location")
	if remembered, err := os.ReadFile(memory); err == nil {
		c.home = strings.TrimSpace(string(remembered))
		return c.own(c.home)
	}
	c.home = filepath.Join(dir, "postgres")
	if err := c.own(c.home); err != nil || c.reaches(c.home) {
		return err
	}
	_ = os.Remove(c.home) // only if it is empty
	// A name of its own each time: a data directory that was removed and made anew
	// must not find what belonged to the old one.
	c.home = filepath.Join(stateDir, strings.ToLower(rand.Text()))
	if err := os.MkdirAll(stateDir, 0o711); err != nil {
		return fmt.Errorf("making %s: %w", stateDir, err)
	}
	if err := c.own(c.home); err != nil {
		return err
	}
	if !c.reaches(c.home) {
		return fault.New(fault.Invalid, fmt.Sprintf("The user that runs Postgres can reach neither %s nor %s. Open one of them to it (chmod o+x on the directories above).", dir, c.home))
	}
	return os.WriteFile(memory, []byte(c.home+"\n"), 0o600)
}

// own makes a directory that only the user who runs Postgres, and root, can enter.
func (c *cluster) own(path string) error {
	err := os.Mkdir(path, 0o700)
	if os.IsExist(err) {
		return c.owned(path)
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", path, err)
	}
	if c.credential == nil {
		return nil
	}
	if err := os.Chown(path, int(c.credential.Uid), int(c.credential.Gid)); err != nil {
		return fmt.Errorf("making %s: %w", path, err)
	}
	return nil
}

// owned refuses a directory that somebody else prepared: whoever owns it owns
// the database, since a connection over the socket is trusted.
func (c *cluster) owned(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != c.uid() || info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("%s must be a directory of user %d with mode 0700. If you trust what is in it, correct that, then start again.", path, c.uid()))
	}
	return nil
}

func (c *cluster) uid() uint32 {
	if c.credential != nil {
		return c.credential.Uid
	}
	return uint32(os.Geteuid())
}

// reaches tries, rather than reading permission bits, whether the user that runs
// Postgres can work in a directory.
func (c *cluster) reaches(home string) bool {
	if c.credential == nil {
		return true
	}
	probe := *c
	probe.home, probe.bin = home, "/bin"
	return probe.command("sh", "-c", "[ -w . ]").Run() == nil
}

// place puts the socket beside the data, or in a short place when the path there
// would be too long for one.
func (c *cluster) place() {
	c.sockets = filepath.Join(c.home, "socket")
	if len(c.sockets) > longestSockets {
		sum := sha256.Sum256([]byte(c.home))
		c.sockets = filepath.Join("/tmp", "plinth-"+hex.EncodeToString(sum[:8]))
	}
}

// Exists tells whether a data directory holds a cluster, without making one.
func Exists(dir string) bool {
	for _, name := range []string{"postgres", "postgres.location"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}
