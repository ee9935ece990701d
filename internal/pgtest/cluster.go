package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// clusterVariable names a folder in which the test processes of one run keep the cluster
// that initdb has made: the first leaves a copy there, and the others, which copy that, begin
// a second sooner. Without it each makes its own.
const clusterVariable = "NARTHEX_TEST_CLUSTER"

// makeCluster fills the data folder, from the shared cluster or by initdb.
func (s *Server) makeCluster(ctx context.Context, binaries string, account *account) error {
	shared := os.Getenv(clusterVariable)
	made := filepath.Join(shared, "cluster")
	if shared != "" {
		if _, err := os.Stat(made); err == nil {
			return copyCluster(ctx, made, s.dataFolder())
		}
	}
	initdb := s.command(ctx, account, filepath.Join(binaries, "initdb"),
		"--pgdata="+s.dataFolder(), "--username="+role, "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb failed: %w\n%s", err, output)
	}
	if shared == "" {
		return nil
	}
	return shareCluster(ctx, s.dataFolder(), made)
}

// shareCluster leaves a copy of a cluster that is either not there or whole.
func shareCluster(ctx context.Context, data, made string) error {
	folder, err := os.MkdirTemp(filepath.Dir(made), "new-")
	if err != nil {
		return fmt.Errorf("sharing the cluster by %s: %w", clusterVariable, err)
	}
	defer os.RemoveAll(folder)
	unnamed := filepath.Join(folder, "cluster")
	if err := copyCluster(ctx, data, unnamed); err != nil {
		return err
	}
	if err := os.Rename(unnamed, made); err != nil && !errors.Is(err, fs.ErrExist) { // another was faster
		return fmt.Errorf("sharing the cluster: %w", err)
	}
	return nil
}

// copyCluster copies all files with their owners and modes, which PostgreSQL looks at.
func copyCluster(ctx context.Context, from, to string) error {
	if output, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the cluster %s: %w\n%s", from, err, output)
	}
	return nil
}
