//! What a rule's service is asked: the rule's own sections, else those of its file.

use super::compile::Rule;
use super::file::{ContainFile, OwnersFile, RevokeFile, Section, UseFile, VerifyFile, WeightFile};

impl Rule {
    /// How to ask whether it is alive.
    pub fn verify(&self) -> Option<&VerifyFile> {
        self.section(
            self.written().verify.as_ref(),
            self.service.file().verify.as_ref(),
        )
    }

    /// How to find organisation owners.
    pub fn owners(&self) -> Option<&OwnersFile> {
        self.section(
            self.written().owners.as_ref(),
            self.service.file().owners.as_ref(),
        )
    }

    /// What an organisation can do.
    pub fn contain(&self) -> Option<&ContainFile> {
        self.section(
            self.written().contain.as_ref(),
            self.service.file().contain.as_ref(),
        )
    }

    /// How to revoke.
    pub fn revoke(&self) -> Option<&RevokeFile> {
        self.section(
            self.written().revoke.as_ref(),
            self.service.file().revoke.as_ref(),
        )
    }

    fn section<'a, T>(&self, own: Option<&'a Section<T>>, default: Option<&'a T>) -> Option<&'a T> {
        match own {
            _ if self.public => None,
            Some(Section::Own(own)) => Some(own),
            Some(Section::Off) => None,
            None => default,
        }
    }

    /// How bad a live one is by what it opens.
    pub fn weights(&self) -> &[WeightFile] {
        match self.written().weight.as_slice() {
            [] => &self.service.file().weight,
            own => own,
        }
    }

    /// What such tokens are for.
    pub fn needed(&self) -> Option<&UseFile> {
        self.written().needed.as_ref()
    }
}
