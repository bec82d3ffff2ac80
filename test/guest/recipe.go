package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
)

// recipeFiles is all that decides what an image holds, besides the suite, the
// architecture and what the mirror serves on the day.
//
//go:embed recipe
var recipeFiles embed.FS

// suites are the Debian releases there is a guest of; the first is the default.
var suites = []string{"trixie", "bookworm"}

// recipeHash names a recipe: the names and contents of its files, in order.
func recipeHash(files fs.FS, suite, arch string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s\n", suite, arch)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash recipe: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// writeRecipe puts the recipe's files below dir, where build.sh can run.
func writeRecipe(dir string) error {
	if err := os.CopyFS(dir, recipeFiles); err != nil {
		return fmt.Errorf("write recipe: %w", err)
	}
	return nil
}
