// Package config reads authproxy.cfg: an INI file whose sections and keys are
// listed in one table, Sections. All that is wrong with a file is told at once.
package config
