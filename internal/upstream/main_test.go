package upstream_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
)

func TestMain(m *testing.M) { apitest.Main(m, browsertest.End) }
