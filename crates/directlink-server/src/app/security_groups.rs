//! Security groups and their rules.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{
    command::{AddSecurityGroupRules, CreateSecurityGroup},
    ids::SecurityGroupId,
    security_group::SecurityGroup,
};

impl App {
    /// A group that admits nothing and lets everything out.
    pub async fn create_security_group(
        &self,
        ctx: &Context,
        c: CreateSecurityGroup,
    ) -> Result<SecurityGroup, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Further permissions.
    pub async fn add_security_group_rules(
        &self,
        ctx: &Context,
        c: AddSecurityGroupRules,
    ) -> Result<SecurityGroup, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn security_groups(
        &self,
        ctx: &Context,
        ids: Option<&[SecurityGroupId]>,
    ) -> Result<Vec<SecurityGroup>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
