//! The project's documents, as they are in the repository. Their code is tested.
//!
//! | | |
//! |---|---|
//! | [`adopting`] | moving a code base over |
//! | [`rollout`] | the first week in production |
//! | [`names`] | names after the code, and how well they tell tasks apart |
//! | [`lifetime`] | how long a task lives |
//! | [`operations`] | from the first deploy to three in the morning |
//! | [`runbook`] | what each alert means |
//! | [`forecast`] | how far the forecast of a stop can be trusted |
//! | [`prometheus`], [`grafana`] | rules, alerts and a dashboard, which `kit/` in the repository has |
//! | [`fleet`] | what many instances cost a Prometheus |
//! | [`metrics`] | all families |
//! | [`terms`] | timeouts, limits, and what must go on |
//! | [`design`] | questions and answers |
//! | [`traces`] | what is carried beyond a spawn: links, trace ids, OpenTelemetry, Sentry |
//! | [`stacks`] | in which `await` a task waits |
//! | [`stuck`] | six incidents, and the line of the log that names the place |
//! | [`log`] | the lines of a shutdown, and their data |
//! | [`architecture`] | the map of the code, for contributors |

#![allow(clippy::doc_markdown, reason = "the documents are prose")]

/// Documents link each other by name. Where rustdoc shows them, the names lead to modules rather than to
/// files: the first definition of a name counts. Other links between files lead nowhere there.
macro_rules! document {
    ($name:ident, $path:literal) => {
        #[doc = "[ADOPTING]: crate::docs::adopting"]
        #[doc = "[ARCHITECTURE]: crate::docs::architecture"]
        #[doc = "[carries]: crate::docs::traces"]
        #[doc = "[DESIGN]: crate::docs::design"]
        #[doc = "[FLEET]: crate::docs::fleet"]
        #[doc = "[FORECAST]: crate::docs::forecast"]
        #[doc = "[GRAFANA]: crate::docs::grafana"]
        #[doc = "[LIFETIME]: crate::docs::lifetime"]
        #[doc = "[LOG]: crate::docs::log"]
        #[doc = "[METRICS]: crate::docs::metrics"]
        #[doc = "[NAMES]: crate::docs::names"]
        #[doc = "[OPERATIONS]: crate::docs::operations"]
        #[doc = "[PROMETHEUS]: crate::docs::prometheus"]
        #[doc = "[ROLLOUT]: crate::docs::rollout"]
        #[doc = "[RUNBOOK]: crate::docs::runbook"]
        #[doc = "[SETTINGS]: crate::settings"]
        #[doc = "[STACKS]: crate::docs::stacks"]
        #[doc = "[STUCK]: crate::docs::stuck"]
        #[doc = "[TERMS]: crate::docs::terms"]
        #[doc = "[TRACES]: crate::docs::traces"]
        #[doc = ""]
        #[doc = include_str!($path)]
        pub mod $name {}
    };
}

document!(adopting, "../docs/ADOPTING.md");
document!(architecture, "../docs/ARCHITECTURE.md");
document!(design, "../docs/DESIGN.md");
document!(fleet, "../docs/FLEET.md");
document!(forecast, "../docs/FORECAST.md");
document!(grafana, "../kit/grafana/README.md");
document!(lifetime, "../docs/LIFETIME.md");
document!(log, "../docs/LOG.md");
document!(metrics, "../docs/METRICS.md");
document!(names, "../docs/NAMES.md");
document!(operations, "../docs/OPERATIONS.md");
document!(prometheus, "../kit/prometheus/README.md");
document!(rollout, "../docs/ROLLOUT.md");
document!(runbook, "../docs/RUNBOOK.md");
document!(stacks, "../docs/STACKS.md");
document!(stuck, "../docs/STUCK.md");
document!(terms, "../docs/TERMS.md");
document!(traces, "../docs/TRACES.md");

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};

    /// A link of a document: its target, and the name by which definitions are found.
    struct Link {
        name: Option<String>,
        target: String,
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The lines that are text: code is left out, in blocks and within lines.
    fn prose(text: &str) -> Vec<String> {
        let mut in_code = false;
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            } else if !in_code {
                lines.push(line.split('`').step_by(2).collect());
            }
        }
        lines
    }

    fn links(text: &str) -> Vec<Link> {
        let mut links = Vec::new();
        for line in prose(text) {
            if let Some((name, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
                links.push(Link { name: Some(name.to_owned()), target: target.trim().to_owned() });
                continue;
            }
            for rest in line.split("](").skip(1) {
                let target = rest.split([')', ' ']).next().unwrap().to_owned();
                links.push(Link { name: None, target });
            }
        }
        links.retain(|link| !link.target.contains("://"));
        links
    }

    /// As the forge and rustdoc name a heading.
    fn anchors(text: &str) -> Vec<String> {
        let headings = text.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
            })
            .collect()
    }

    fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                markdown_below(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                found.push(path);
            }
        }
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let mut documents = vec![root().join("README.md"), root().join("SECURITY.md")];
        markdown_below(&root().join("docs"), &mut documents);
        markdown_below(&root().join("kit"), &mut documents);
        let (mut seen, mut lost) = (0, Vec::new());
        for document in documents {
            let text = read(&document);
            for Link { target, .. } in links(&text) {
                seen += 1;
                let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let file =
                    if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
                let is_there = file.exists()
                    && (anchor.is_empty() || anchors(&read(&file)).iter().any(|known| known == anchor));
                if !is_there {
                    lost.push(format!("{}: {target}", document.display()));
                }
            }
        }
        assert!(lost.is_empty(), "{}", lost.join("\n"));
        assert!(30 < seen, "{seen} links were found");
    }

    /// A file has no address there, so each link goes by a name that leads to a module.
    #[test]
    fn links_of_what_rustdoc_shows_lead_to_modules() {
        let own = read(&root().join("src/docs.rs"));
        let lines = || own.lines().map(str::trim);
        let shown: HashMap<&str, &str> = lines()
            .filter_map(|line| line.strip_prefix("document!(")?.strip_suffix("\");")?.split_once(", \"../"))
            .collect();
        let names: HashMap<&str, &str> = lines()
            .filter_map(|line| line.strip_prefix("#[doc = \"[")?.strip_suffix("\"]")?.split_once("]: "))
            .collect();
        assert!(10 < shown.len() && 10 < names.len(), "{shown:?} {names:?}");
        let mut lost = Vec::new();
        for (name, module) in &names {
            let is_there =
                module.strip_prefix("crate::docs::").is_none_or(|module| shown.contains_key(module));
            if !is_there {
                lost.push(format!("{name}: there is no {module}"));
            }
        }
        for path in shown.values() {
            for Link { name, target } in links(&read(&root().join(path))) {
                let leads = target.starts_with('#') || name.is_some_and(|name| names.contains_key(&*name));
                if !leads {
                    lost.push(format!("{path}: {target}"));
                }
            }
        }
        assert!(lost.is_empty(), "{}", lost.join("\n"));
    }
}
