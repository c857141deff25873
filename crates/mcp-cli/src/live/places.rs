//! Where live sessions meet.

use std::path::Path;

use mcp_bridge::control::Places;

use crate::environment::Environment;

/// Where live sessions of this account meet. `MCPLINK_RUNTIME_DIR` is the one way to have them meet elsewhere: both
/// ends must be told.
pub(super) fn places(environment: &Environment) -> Places {
    match environment.text("MCPLINK_RUNTIME_DIR") {
        Some(directory) => Places::only(directory),
        None => Places::of_account("mcplink", environment.text("XDG_RUNTIME_DIR").map(Path::new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_n03_one_variable_and_no_other_moves_where_sessions_listen() {
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
            places(&Environment::new(variables, Ok("/".into()), Ok("/mcplink".into())))
        };
        assert_eq!(of(&[("MCPLINK_RUNTIME_DIR", "/r"), ("XDG_RUNTIME_DIR", "/x")]), Places::only("/r"));
        let plain = of(&[]);
        for variables in [[("XDG_RUNTIME_DIR", "/x")], [("TMPDIR", "/t")], [("USER", "ada")]] {
            assert_eq!(of(&variables).listen(), plain.listen(), "{variables:?}");
        }
    }
}
