package browser_test

import (
	"os"
	"testing"

	"noom/internal/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Run(m)) }
