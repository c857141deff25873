//! mcporter.

use crate::hosts::words::ALONE;
use crate::hosts::words::FieldMeaning::{Address, BearerToken, CommandLine, Nothing, OAuthField, OneOf};
use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Project, "config/mcporter.json"),
    json(Base::Home, ".mcporter/mcporter.json"),
    json(Base::Home, ".mcporter/mcporter.jsonc"),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "mcporter",
    title: "mcporter",
    files: FILES,
    fields: &[
        ("base_url", Address(None)),
        ("server_url", Address(None)),
        ("command", CommandLine),
        ("executable", CommandLine),
        ("auth", OneOf(&["oauth"], ALONE)),
        ("bearerToken", BearerToken),
        ("bearer_token", BearerToken),
        ("oauth_redirect_url", OAuthField("redirectUri")),
        ("clientName", Nothing),
        ("client_name", Nothing),
        ("tokenCacheDir", Nothing),
        ("token_cache_dir", Nothing),
        ("lifecycle", Nothing),
        ("logging", Nothing),
        ("resultMapping", Nothing),
    ],
    addresses: &["baseUrl", "base_url", "url", "serverUrl", "server_url"],
    forms: &[Form::Plain, Form::Default, Form::DollarEnv],
    ..PLAIN
};
