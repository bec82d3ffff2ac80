// Package config turns YAML into a validated configuration.
//
// It is strict: a key that it does not know, a value of the wrong type or out of
// its range is refused with file, line and column, what was found and what was
// expected; and all mistakes are told at once. [Parse] reads nothing;
// [Load] reads the main file and the drop-ins beside it.
package config
