//go:build race

package main

// raceDetector: the program is tested as the tests are.
const raceDetector = true
