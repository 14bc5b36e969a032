//! A daemon that does nothing, for tests and models of the host around it.

use crate::declaration::{Declaration, Declared};
use crate::definition::Definition;
use crate::{DaemonBase, Wired};

pub(super) struct Quiet;

impl Declared for Quiet {
    const DECLARATION: Declaration = Declaration::new("quiet");
}

impl Wired for Quiet {
    fn wire(_definition: &mut Definition<Self>) {}
}

impl DaemonBase for Quiet {}
