package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// identity is what initdb gives each cluster, and a copy keeps.
func identity(t *testing.T) string {
	t.Helper()
	got, err := query(StartFor(t).DatabaseFor(t, ""), "SELECT system_identifier::text FROM pg_control_system()")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestACluster(t *testing.T) {
	t.Run("is made anew without a folder to share it", func(t *testing.T) {
		t.Setenv(clusterVariable, "")
		if one, two := identity(t), identity(t); one == two {
			t.Errorf("two clusters are both %s", one)
		}
	})
	t.Run("is made once in a folder", func(t *testing.T) {
		shared := t.TempDir()
		t.Setenv(clusterVariable, shared)
		if one, two := identity(t), identity(t); one != two {
			t.Errorf("there are two clusters, %s and %s", one, two)
		}
		if left, err := os.ReadDir(shared); err != nil || len(left) != 1 {
			t.Errorf("in the folder are %v, %v", left, err)
		}
	})
	t.Run("is whole though another process was faster", func(t *testing.T) {
		t.Setenv(clusterVariable, t.TempDir())
		one := identity(t)
		made := filepath.Join(os.Getenv(clusterVariable), "cluster")
		if err := shareCluster(t.Context(), made, made); err != nil {
			t.Errorf("sharing it again: %v", err)
		}
		if two := identity(t); one != two {
			t.Errorf("the cluster was %s and is %s", one, two)
		}
	})
	t.Run("is refused in a folder that is not there", func(t *testing.T) {
		t.Setenv(clusterVariable, filepath.Join(t.TempDir(), "none"))
		s, err := Start()
		if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		if err == nil {
			t.Errorf("Start: no error, and %v on Stop", s.Stop())
		} else if !strings.Contains(err.Error(), clusterVariable) {
			t.Errorf("Start: got %v", err)
		}
	})
	t.Run("is refused when it is no cluster", func(t *testing.T) {
		shared := t.TempDir()
		t.Setenv(clusterVariable, shared)
		if err := os.WriteFile(filepath.Join(shared, "cluster"), []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Start(); err == nil {
			t.Errorf("Start: no error, and %v on Stop", s.Stop())
		}
	})
}
