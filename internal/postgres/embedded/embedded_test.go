package embedded_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/embedded"
)

// asChild names the directory on which this binary, started again, runs a server
// until somebody kills it.
const asChild = "PLINTH_TEST_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		server, err := embedded.Start(context.Background(), embedded.Config{Dir: dir})
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
		println("started " + server.URL())
		select {}
	}
	os.Exit(m.Run())
}

// directory is reachable by the user that runs Postgres, which t.TempDir need not be.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "plinth-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// child starts a server in a process of its own.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"="+dir)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(stderr).ReadString('\n')
	if !strings.HasPrefix(line, "started ") {
		t.Fatalf("got %q from the child, want it started", line)
	}
	return cmd
}

// eventually runs a statement until it works, as a pool would while a server changes hands.
func eventually(t *testing.T, url, sql string) string {
	t.Helper()
	var last error
	for range 200 {
		got, err := query(t.Context(), url, sql)
		if err == nil {
			return got
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("got %v, want an answer within ten seconds", last)
	return ""
}

func query(ctx context.Context, url, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var got string
	err = conn.QueryRow(ctx, sql).Scan(&got)
	return got, err
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestProductionServerIsDurablePrivateAndSilentAboutPeople(t *testing.T) {
	url := start(t, directory(t)).URL()
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "unix_socket_permissions": "0700", "log_min_error_statement": "panic",
		"log_error_verbosity": "terse", "server_encoding": "UTF8", "lc_collate": "C.UTF-8",
	} {
		if got := eventually(t, url, "SELECT setting FROM pg_settings WHERE name = '"+setting+"'"); got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
}

func TestDataOutlivesKillOfItsOwner(t *testing.T) {
	dir := directory(t)
	owner := child(t, dir)
	guest := start(t, dir)
	execute(t, guest.URL(), "CREATE TABLE kept (what text)")
	execute(t, guest.URL(), "INSERT INTO kept VALUES ('acknowledged')")
	guest.Stop()
	if _, err := query(t.Context(), guest.URL(), "SELECT what FROM kept"); err != nil {
		t.Fatalf("got %v; a guest that stops must leave the owner's server running", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	again := start(t, dir) // at once, while the old server still shuts down
	got, err := query(t.Context(), again.URL(), "SELECT what FROM kept")
	if err != nil || got != "acknowledged" {
		t.Fatalf("got %q, %v; want what was acknowledged", got, err)
	}
}

func TestAGuestTakesTheServerOver(t *testing.T) {
	dir := directory(t)
	owner := child(t, dir)
	guest := start(t, dir)
	execute(t, guest.URL(), "CREATE TABLE kept AS SELECT 'acknowledged' AS what")
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	if got, want := eventually(t, guest.URL(), "SELECT what FROM kept"), "acknowledged"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	guest.Stop()
	if _, err := query(t.Context(), guest.URL(), "SELECT what FROM kept"); err == nil {
		t.Fatal("the last owner's Stop must end the server")
	}
}

func TestOwnerRestartsAFallenServer(t *testing.T) {
	dir := directory(t)
	s := start(t, dir)
	execute(t, s.URL(), "CREATE TABLE kept AS SELECT 'acknowledged' AS what")
	pid, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := strings.Cut(string(pid), "\n")
	if err := exec.Command("kill", "-QUIT", number).Run(); err != nil {
		t.Fatal(err)
	}
	if got, want := eventually(t, s.URL(), "SELECT what FROM kept"), "acknowledged"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestAHalfMadeDatabaseIsMadeAnew(t *testing.T) {
	dir := directory(t)
	first := start(t, dir)
	first.Stop()
	data := filepath.Join(dir, "postgres", "data")
	if err := os.Rename(data, data+".new"); err != nil { // as if initdb had been killed
		t.Fatal(err)
	}
	if got, want := eventually(t, start(t, dir).URL(), "SELECT current_user::text"), "plinth"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestALongPathStillHasASocket(t *testing.T) {
	dir := filepath.Join(directory(t), strings.Repeat("d", 120))
	if got, want := eventually(t, start(t, dir).URL(), "SELECT current_database()::text"), "plinth"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestADirectoryClosedToPostgresIsReplacedAndRemembered(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root runs Postgres as somebody else
	}
	closed := directory(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "data")
	first := start(t, dir)
	execute(t, first.URL(), "CREATE TABLE kept AS SELECT 'acknowledged' AS what")
	first.Stop()
	home, err := os.ReadFile(filepath.Join(dir, "postgres.location"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(strings.TrimSpace(string(home))) })
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	if got, want := eventually(t, start(t, dir).URL(), "SELECT what FROM kept"), "acknowledged"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestADirectoryOfSomebodyElseIsRefused(t *testing.T) {
	dir := directory(t)
	if err := os.Mkdir(filepath.Join(dir, "postgres"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want an explained refusal", err)
	}
}

func TestNoPostgresSaysWhatToInstall(t *testing.T) {
	dir := directory(t)
	s := start(t, dir)
	s.Stop()
	version := filepath.Join(dir, "postgres", "data", "PG_VERSION")
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Sentence, "apt-get install postgresql-9") {
		t.Fatalf("got %v, want what to install", err)
	}
}
