//! Paths inside a repository: checked by their text alone, before Git or the file system see them.

use std::collections::HashMap;

use crate::SourceError;
use crate::revision::shorten;

/// Longest path that is taken, in bytes.
const MAX_BYTES: usize = 1024;

/// Most symbolic links followed on one way, as Linux does it.
const MAX_LINKS: usize = 40;

/// Brings a path into its plain form (`a/b/c.yaml`), or says that it is none inside a repository.
///
/// `./a`, `a//b` and a slash at the end are tolerated; `..`, a leading slash, backslashes,
/// control characters and `.git` are not.
pub(crate) fn clean(path: &str) -> Result<String, SourceError> {
    let outside = || SourceError::PathOutside {
        path: shorten(path),
    };
    if path.len() > MAX_BYTES
        || path.starts_with('/')
        || path.chars().any(|c| c.is_control() || c == '\\')
    {
        return Err(outside());
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts
        .iter()
        .any(|part| *part == ".." || part.eq_ignore_ascii_case(".git"))
    {
        return Err(outside());
    }
    Ok(parts.join("/"))
}

/// Folder and last name of a clean path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Up to three of `names` that look most like `wanted`, the nearest first.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.truncate(3);
    scored
        .into_iter()
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Where a symbolic link leads, followed through all the links on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// It stays inside the tree (whether or not something is there).
    Inside,
    /// It leaves the tree.
    Outside,
    /// It goes in a circle.
    Nowhere,
}

/// Follows the link at `link` through `links` (every link of the tree with its target), as the
/// kernel would: `..` goes up from where the way really is, not from where the text says.
pub(crate) fn follow(links: &HashMap<String, String>, link: &str) -> Leads {
    let (folder, _) = split(link);
    let mut here: Vec<String> = folder
        .split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let Some(target) = links.get(link) else {
        return Leads::Inside;
    };
    let mut followed = 1;
    let mut ahead: Vec<String> = Vec::new();
    if !push_target(target, &mut ahead) {
        return Leads::Outside;
    }
    while let Some(part) = ahead.pop() {
        if part == ".." {
            if here.pop().is_none() {
                return Leads::Outside;
            }
            continue;
        }
        here.push(part);
        if let Some(target) = links.get(&here.join("/")) {
            followed += 1;
            if followed > MAX_LINKS {
                return Leads::Nowhere;
            }
            here.pop();
            if !push_target(target, &mut ahead) {
                return Leads::Outside;
            }
        }
    }
    Leads::Inside
}

/// Puts a target's parts on the stack, first part on top; `false` if the target is absolute.
fn push_target(target: &str, ahead: &mut Vec<String>) -> bool {
    if target.starts_with('/') {
        return false;
    }
    ahead.extend(
        target
            .split('/')
            .rev()
            .filter(|part| !part.is_empty() && *part != ".")
            .map(str::to_owned),
    );
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leaves_the_repository_is_refused() {
        for bad in [
            "..",
            "../..",
            "a/../../etc/passwd",
            "/etc/passwd",
            "a/..",
            ".git/config",
            "x/.GIT/y",
            "a\0b",
            "a\nb",
            "a\\b",
            &"x/".repeat(600),
        ] {
            assert!(
                matches!(clean(bad), Err(SourceError::PathOutside { .. })),
                "{bad:?}"
            );
        }
        assert_eq!(
            clean("./deploy//service.yaml").unwrap(),
            "deploy/service.yaml"
        );
        assert_eq!(clean("deploy/").unwrap(), "deploy");
        assert_eq!(clean("").unwrap(), "");
        assert_eq!(clean("..a/b..").unwrap(), "..a/b..");
    }

    #[test]
    fn the_nearest_names_come_first() {
        let names = ["service.yaml", "Service.yml", "Dockerfile", "README.md"];
        assert_eq!(
            nearest("servce.yaml", names.into_iter()),
            ["service.yaml", "Service.yml"]
        );
        assert_eq!(nearest("dockerfile", names.into_iter()), ["Dockerfile"]);
        assert!(nearest("zzz", names.into_iter()).is_empty());
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() {
        let links: HashMap<String, String> = [
            ("abs", "/etc/passwd"),
            ("up", "../x"),
            ("d/ok", "../a"),
            ("d/up2", "../../a"),
            ("dot", "."),
            ("sneaky", "dot/../etc"),
            ("deep", "a/b/c"),
            ("via", "deep/../../x"),
            ("loop1", "loop2"),
            ("loop2", "loop1"),
            ("self", "self/x"),
            ("to-abs", "abs"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
        let check = |link: &str, expect| assert_eq!(follow(&links, link), expect, "{link}");
        check("abs", Leads::Outside);
        check("up", Leads::Outside);
        check("d/ok", Leads::Inside);
        check("d/up2", Leads::Outside);
        check("dot", Leads::Inside);
        check("sneaky", Leads::Outside);
        check("via", Leads::Inside);
        check("loop1", Leads::Nowhere);
        check("self", Leads::Nowhere);
        check("to-abs", Leads::Outside);
    }

    proptest! {
        #[test]
        fn a_clean_path_is_clean_and_stays_so(path in "\\PC{0,40}") {
            if let Ok(once) = clean(&path) {
                prop_assert!(!once.starts_with('/'));
                prop_assert!(once.split('/').all(|p| p != ".." && p != "."));
                prop_assert_eq!(clean(&once).unwrap(), once);
            }
        }

        #[test]
        fn following_always_ends(pairs in proptest::collection::hash_map("[ab/]{1,4}", "[ab./]{1,8}", 0..8)) {
            for link in pairs.keys() {
                follow(&pairs, link);
            }
        }
    }
}
