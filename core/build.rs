//! Cargo demands a build script of every package that sets `links`. There is nothing to build.

fn main() {}
