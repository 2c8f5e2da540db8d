package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file. Its text never holds a secret.
type Problem struct {
	File    string
	Line    int    // zero: the file as a whole
	Section string // empty: none
	Key     string // empty: the section as a whole
	Text    string // what is wrong, and what is expected
}

// String returns the problem in one line: "authproxy.cfg:12: [ad_client] port: ...".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Section != "" {
		fmt.Fprintf(&b, "[%s] ", p.Section)
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Text
}

// Problems is the error of Load.
type Problems []Problem

// Error returns one line for each problem, in the order of the file.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems of a file in its order.
func (p Problems) sort(path string) {
	for i := range p {
		p[i].File = path
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}

// nearest returns the name that is most like s, or "" when none is.
func nearest(s string, names []string) string {
	best, least := "", max(2, len(s)/3)+1
	for _, name := range names {
		if d := distance(s, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of letters to add, take away or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean is the end of a sentence about an unknown name.
func didYouMean(s string, names []string) string {
	if name := nearest(s, names); name != "" {
		return fmt.Sprintf("; the nearest known name is %q", name)
	}
	return ""
}
