//! The files of the repository, as they are on disk.

use std::fs;
use std::path::{Path, PathBuf};

/// What builds and servers leave behind, what is not ours, and what fuzzing feeds to parsers.
const NOT_SOURCES: [&str; 6] = ["target", ".git", ".sealbook", "node_modules", "Cargo.lock", "corpus"];

/// A text file of the repository.
pub struct Source {
    /// Its path from the repository's root, with slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The file's name without its ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// Its lines with their numbers, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Its lines of code: without comments, and without the unit tests that end a file.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let comment = |line: &str| line.trim_start().starts_with("//");
        self.lines().take_while(|(_, line)| *line != "mod tests {").filter(move |(_, line)| !comment(line))
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is around this package").to_owned()
}

/// Every text file, in the order of paths.
pub fn all() -> Vec<Source> {
    let mut found = Vec::new();
    let root = root();
    walk(&root, &root, &mut found);
    assert!(found.len() > 100, "only {} files under {}", found.len(), root.display());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust file.
pub fn rust() -> Vec<Source> {
    all().into_iter().filter(Source::is_rust).collect()
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the repository can be read") {
        let entry = entry.expect("the repository can be read");
        let name = entry.file_name();
        if NOT_SOURCES.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type().expect("a file has a type"));
        if kind.is_dir() {
            walk(root, &path, found);
        } else if kind.is_file() {
            // What is not text (an image, a font) has no words to look at.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root).expect("it lies below the root").display().to_string();
            found.push(Source { path, text });
        }
    }
}

/// Fails with every complaint, not just the first.
pub fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}
