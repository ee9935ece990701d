package upstream_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }
