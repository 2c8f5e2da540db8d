package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// logFiles are the files of a log: the current one, and those that were cut.
func logFiles(t *testing.T, dir, name string) (current fs.FileInfo, old []string) {
	t.Helper()
	current, err := os.Stat(filepath.Join(dir, name))
	require.NoError(t, err)
	old, err = filepath.Glob(filepath.Join(dir, strings.TrimSuffix(name, ".log")+"-*.log"))
	require.NoError(t, err)
	return current, old
}

func TestLogsAreCutBySizeAndOldOnesRemoved(t *testing.T) {
	const mebibyte = 1 << 20
	for name, test := range map[string]struct {
		size, files string
		old         int // of 4.5 MiB
	}{
		"less than a MiB counts as one": {"1000", "9", 4},
		"the oldest are removed":        {"1048576", "2", 2},
		"0 files keeps all":             {"1048576", "0", 4},
		"rounded up to 2 MiB":           {"1048577", "9", 2},
		"0 bytes never cuts":            {"0", "2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, configName)
			require.NoError(t, os.WriteFile(path, []byte("[main]\nlog_dir=logs\nlog_auth_events=true\nlog_max_size="+test.size+"\nlog_max_files="+test.files+
				"\n[duo_only_client]\n[radius_server_auto]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=d\n"), 0o600))
			file, err := config.Load(path)
			require.NoError(t, err)
			logs, err := openLogs(file, io.Discard)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, logs.close()) })
			first, _ := logFiles(t, filepath.Join(dir, "logs"), logName)
			filler := strings.Repeat("x", 1<<10-70)
			for n := range 9 * mebibyte / 2 / (1 << 10) {
				logs.Info(filler, "number", n)
			}
			_, err = fmt.Fprintln(logs.events, "{}")
			require.NoError(t, err)

			logDir := filepath.Join(dir, "logs")
			require.Eventually(t, func() bool {
				_, old := logFiles(t, logDir, logName)
				return len(old) == test.old
			}, 5*time.Second, 10*time.Millisecond, "%d old files", test.old)
			require.Eventually(t, func() bool {
				content, err := os.ReadFile(filepath.Join(logDir, logName))
				return err == nil && strings.Contains(string(content), "number=4607\n")
			}, 5*time.Second, 10*time.Millisecond, "the last line is in the current file")
			current, old := logFiles(t, logDir, logName)
			for _, path := range old {
				info, err := os.Stat(path)
				require.NoError(t, err)
				assert.InDelta(t, float64(mebibytes(file.Main.Int("log_max_size"))*mebibyte), info.Size(), 1<<10, "cut between lines")
			}
			assert.Equal(t, first.Mode(), current.Mode(), "whoever could read the first can read the next")
			_, old = logFiles(t, logDir, eventsName)
			assert.Empty(t, old, "each log for itself")
		})
	}
}
