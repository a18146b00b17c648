//! What a scenario found, as plain data that one process hands to another.

use serde::{Deserialize, Serialize};

/// The subject that is meant to win.
pub const HEADCOUNT: &str = "`headcount::spawn`";

/// All that one scenario found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub columns: Vec<Column>,
    pub sections: Vec<Section>,
    pub goals: Vec<Goal>,
}

/// One column of a table whose rows are subjects.
#[derive(Debug, Serialize, Deserialize)]
pub struct Column {
    /// The table it belongs to.
    pub table: String,
    pub head: String,
    pub compare: Compare,
    pub lanes: Vec<Lane>,
}

/// How a figure is set beside that of bare tokio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    Ratio,
    Difference,
}

/// What was measured of one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lane {
    pub subject: String,
    pub median: f64,
    pub best: f64,
}

/// A table of its own, or only words.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Section {
    pub title: String,
    pub text: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A bound that headcount set itself, and where it stands.
#[derive(Debug, Serialize, Deserialize)]
pub struct Goal {
    pub what: String,
    pub limit: f64,
    pub measured: f64,
    pub unit: String,
}

impl Goal {
    pub fn new(what: impl Into<String>, limit: f64, measured: f64, unit: &str) -> Self {
        Self { what: what.into(), limit, measured, unit: unit.to_owned() }
    }
}

impl Report {
    /// Adds what another scenario found.
    pub fn append(&mut self, other: Self) {
        self.columns.extend(other.columns);
        self.sections.extend(other.sections);
        self.goals.extend(other.goals);
    }

    /// The Markdown of all tables, the goals first.
    pub fn markdown(&self) -> String {
        let mut blocks = Vec::new();
        if !self.goals.is_empty() {
            blocks.push(self.goals_markdown());
        }
        let mut tables: Vec<&str> = Vec::new();
        for column in &self.columns {
            if !tables.contains(&column.table.as_str()) {
                tables.push(&column.table);
            }
        }
        blocks.extend(tables.into_iter().map(|table| self.table_markdown(table)));
        blocks.extend(self.sections.iter().map(Section::markdown));
        blocks.join("\n")
    }

    fn goals_markdown(&self) -> String {
        let head = ["goal", "at most", "measured", ""].map(str::to_owned);
        let rows: Vec<Vec<String>> = self.goals.iter().map(Goal::row).collect();
        format!("## Goals\n\n{}", markdown_table(&head, &rows))
    }

    fn table_markdown(&self, table: &str) -> String {
        let columns: Vec<&Column> = self.columns.iter().filter(|column| column.table == table).collect();
        let medians = grid(&columns, Column::median_cell);
        let best = grid(&columns, Column::best_cell);
        format!("## {table}\n\n{medians}\nThe best round of each:\n\n{best}")
    }
}

/// Subjects down, scenarios across.
fn grid(columns: &[&Column], cell: fn(&Column, &Lane) -> String) -> String {
    let mut subjects: Vec<&str> = Vec::new();
    for lane in columns.iter().flat_map(|column| &column.lanes) {
        if !subjects.contains(&lane.subject.as_str()) {
            subjects.push(&lane.subject);
        }
    }
    let heads = columns.iter().map(|column| column.head.clone());
    let head: Vec<String> = std::iter::once(String::new()).chain(heads).collect();
    let rows: Vec<Vec<String>> = subjects.iter().map(|subject| row(subject, columns, cell)).collect();
    markdown_table(&head, &rows)
}

fn row(subject: &str, columns: &[&Column], cell: fn(&Column, &Lane) -> String) -> Vec<String> {
    let emphasis = if subject == HEADCOUNT { "**" } else { "" };
    let cells = columns.iter().map(|column| {
        let text = column.lane(subject).map_or_else(|| "–".to_owned(), |lane| cell(column, lane));
        format!("{emphasis}{text}{emphasis}")
    });
    std::iter::once(format!("{emphasis}{subject}{emphasis}")).chain(cells).collect()
}

impl Column {
    /// The median of headcount beside that of bare tokio as a goal: a ratio, or what it adds.
    pub fn goal(&self, what: &str, limit: f64, unit: &str) -> Option<Goal> {
        let median = self.lane(HEADCOUNT)?.median;
        Some(Goal::new(what, limit, self.compare.of(median, self.bare(|lane| lane.median)), unit))
    }

    fn lane(&self, subject: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.subject == subject)
    }

    /// The mean of the rows of bare tokio.
    fn bare(&self, figure: fn(&Lane) -> f64) -> f64 {
        let bare: Vec<f64> = self.lanes.iter().filter(|lane| lane.is_bare()).map(figure).collect();
        bare.iter().sum::<f64>() / bare.len() as f64
    }

    fn median_cell(&self, lane: &Lane) -> String {
        self.compare.show(lane.median, self.bare(|lane| lane.median))
    }

    fn best_cell(&self, lane: &Lane) -> String {
        self.compare.show(lane.best, self.bare(|lane| lane.best))
    }
}

impl Lane {
    fn is_bare(&self) -> bool {
        self.subject.starts_with("`tokio::spawn`")
    }
}

impl Compare {
    fn of(self, value: f64, bare: f64) -> f64 {
        match self {
            Self::Ratio => value / bare,
            Self::Difference => value - bare,
        }
    }

    fn show(self, value: f64, bare: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.0} ({:.2})", value / bare),
            Self::Difference => format!("{value:.0} ({:+.0})", value - bare),
        }
    }
}

impl Goal {
    fn row(&self) -> Vec<String> {
        let verdict = if self.measured <= self.limit { "met" } else { "**missed**" };
        vec![self.what.clone(), self.show(self.limit), self.show(self.measured), verdict.to_owned()]
    }

    fn show(&self, value: f64) -> String {
        let digits = if value.abs() < 10.0 { 2 } else { 0 };
        format!("{value:.digits$} {}", self.unit).trim_end().to_owned()
    }
}

impl Section {
    fn markdown(&self) -> String {
        let mut blocks = vec![format!("## {}\n", self.title)];
        if !self.text.is_empty() {
            blocks.push(format!("{}\n", self.text));
        }
        if !self.head.is_empty() {
            blocks.push(markdown_table(&self.head, &self.rows));
        }
        blocks.join("\n")
    }
}

fn markdown_table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{}{rows}", line(head), line(&rule))
}
