//! The naming language: paths, name trees, dtabs; no IO, no config.

/// Placeholder until the naming language lands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path;
/// Placeholder until the naming language lands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dtab;
