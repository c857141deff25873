//! One table: what is secret, how it is spelled, and that it is gone.

use super::*;

/// Base64 (RFC 4648), so that the test does not use what it tests.
fn base64(bytes: &[u8], alphabet: &[u8; 64], pad: bool) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..=group.len() {
            text.push(char::from(alphabet[(bits >> (18 - 6 * index) & 63) as usize]));
        }
        if pad {
            text.push_str(&"=".repeat(3 - group.len()));
        }
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn percent(text: &str, every: bool, lower: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() && !every => char::from(byte).to_string(),
            byte if lower => format!("%{byte:02x}"),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Every spelling that is promised to be found. A new one is one line.
fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let each = |spell: fn(u8) -> String| secret.bytes().map(spell).collect::<String>();
    let within = |alphabet, before: &str| base64(format!("{before}{secret}!").as_bytes(), alphabet, true);
    vec![
        ("as it is", secret.to_owned()),
        ("upper case", secret.to_ascii_uppercase()),
        ("letter by letter", each(|byte| format!("{} ", char::from(byte)))),
        ("as od -x dumps it", {
            let word = |pair: &[u8]| format!(" {:02x}{:02x}", pair.get(1).copied().unwrap_or(0), pair[0]);
            format!("0000000{}\n", secret.as_bytes().chunks(2).map(word).collect::<String>())
        }),
        ("as xxd dumps it", {
            let word = |pair: &[u8]| format!(" {:02x}{:02x}", pair[0], pair.get(1).copied().unwrap_or(0));
            format!("00000000:{}\n", secret.as_bytes().chunks(2).map(word).collect::<String>())
        }),
        ("as od dumps it", {
            let letters: Vec<char> = secret.chars().collect();
            let line = |(at, letters): (usize, &[char])| {
                let letters: String = letters.iter().map(|c| format!("   {c}")).collect();
                format!("{:07o}{letters}\n", at * 16)
            };
            letters.chunks(16).enumerate().map(line).collect()
        }),
        ("lower case", secret.to_ascii_lowercase()),
        ("percent", percent(secret, false, false)),
        ("percent, lower", percent(secret, false, true)),
        ("percent, all", percent(secret, true, false)),
        ("percent, half", format!("{}{}", &secret[..9], percent(&secret[9..], true, true))),
        ("percent, twice", percent(&percent(secret, false, false), false, false)),
        ("percent, three times", percent(&percent(&percent(secret, false, true), false, true), false, true)),
        ("percent u", each(|byte| format!("%u{byte:04x}"))),
        ("form", percent(secret, false, false).replace("%20", "+")),
        ("slashes", secret.replace('/', "\\/").replace('"', "\\\"")),
        ("slashes, twice", secret.replace('/', "\\\\\\/")),
        ("json units", each(|byte| format!("\\u{byte:04x}"))),
        ("json units, upper", each(|byte| format!("\\u{byte:04X}"))),
        ("json units, escaped", each(|byte| format!("\\\\u{byte:04x}"))),
        ("rust", each(|byte| format!("\\u{{{byte:x}}}"))),
        ("bytes", each(|byte| format!("\\x{byte:02x}"))),
        ("html, decimal", each(|byte| format!("&#{byte};"))),
        ("html, hexadecimal", each(|byte| format!("&#x{byte:X};"))),
        ("html, named", secret.replace('/', "&sol;").replace('+', "&plus;")),
        ("dumped", each(|byte| format!("{byte:02x}:"))),
        ("dumped, blanks", each(|byte| format!("{byte:02X} "))),
        ("dumped, as numbers", each(|byte| format!("0x{byte:02x}, "))),
        ("quoted-printable", each(|byte| format!("={byte:02X}"))),
        ("hex", each(|byte| format!("{byte:02x}"))),
        ("hex, upper", each(|byte| format!("{byte:02X}"))),
        ("hex, odd", format!("0x0{}", each(|byte| format!("{byte:02x}")))),
        ("base64", base64(secret.as_bytes(), STANDARD, true)),
        ("base64, bare", base64(secret.as_bytes(), STANDARD, false)),
        ("base64url", base64(secret.as_bytes(), URL_SAFE, false)),
        ("base64 behind one", within(STANDARD, "x")),
        ("base64 behind two", within(STANDARD, "xy")),
        ("base64url behind three", within(URL_SAFE, "xyz")),
        ("base64 of a pair", within(STANDARD, "user:")),
        ("base64 glued to a word", format!("v1-{}", base64(secret.as_bytes(), STANDARD, false))),
        ("base64, percent", percent(&base64(secret.as_bytes(), STANDARD, true), false, false)),
        ("base64 of percent", base64(percent(secret, true, false).as_bytes(), STANDARD, true)),
        ("first half", secret[..secret.len() / 2].to_owned()),
        ("second half", secret[secret.len() / 2..].to_owned()),
        ("middle", secret[3..secret.len() - 3].to_owned()),
        ("half, percent", percent(&secret[..secret.len() / 2], true, true)),
        ("half of base64", base64(secret.as_bytes(), STANDARD, true)[..secret.len() / 2 + 4].to_owned()),
    ]
}

/// What of `secret` can still be read, in any spelling, of four bytes or more.
fn leaks(shown: &str, secret: &str) -> bool {
    let view = View::of(shown);
    let mut views = vec![view.clone()];
    let mut level = view;
    while let Some(below) = level.unescaped() {
        views.push(below.clone());
        level = below;
    }
    let mut encoded: Vec<View> = views.iter().flat_map(View::encodings).collect();
    encoded.extend(encoded.clone().iter().filter_map(View::unescaped));
    let secret = secret.to_ascii_lowercase();
    views.iter().chain(&encoded).any(|view| {
        let bytes = view.bytes().to_ascii_lowercase();
        secret.as_bytes().windows(6).any(|window| bytes.windows(6).any(|there| there == window))
    })
}

#[test]
fn s_m11_a_credential_is_hidden_in_every_spelling() {
    let secret = "Qx/cana\"ry+w1th zq-Lower";
    let known: Secrets = [secret].into_iter().collect();
    for (spelling, spelled) in spellings(secret) {
        for text in [format!("bad token: {spelled}"), format!("got <{spelled}>, really"), spelled.clone()] {
            let shown = known.hide(&text);
            assert!(!leaks(&shown, secret), "{spelling}: {text}: {shown}");
            assert!(shown.contains(REDACTED), "{spelling}: {shown}");
        }
    }
    // The test can fail: it reads what a person could.
    for (spelling, spelled) in spellings(secret) {
        assert!(leaks(&spelled, secret), "{spelling}: {spelled}");
    }
    assert_eq!(known.hide("nothing of it, as it happens"), "nothing of it, as it happens");
}

#[test]
fn s_m11_the_parts_of_a_value_are_hidden_by_themselves() {
    let basic = format!("Basic {}", base64(b"ann:ca-na-ry pw", STANDARD, true));
    for (value, repeated) in [
        ("Bearer canary-one", "no canary-one here"),
        ("bearer  canary-one", "no canary-one here"),
        (&*basic, "user ann:ca-na-ry pw"),
        (&*basic, "password ca-na-ry pw is wrong"),
        (&*basic, "password ca-na-ry+pw is wrong"),
        ("sid=canary-one; theme=canary-two", "session canary-one, theme canary-two"),
        ("Digest username=\"ann\", response=\"canary-one\"", "response canary-one"),
        ("https://ann:canary-one@h/mcp", "no canary-one here"),
        ("https://canary-one@h/mcp", "no canary-one here"),
        ("https://h/mcp?k=canary-one&l=x", "no canary-one here"),
        ("https://h/mcp?k=canary%2Done", "no canary-one, no canary%2Done"),
        ("https://h/mcp?canary-one", "no canary-one here"),
        ("https://h/mcp#canary-one", "no canary-one here"),
        ("https://h/s/4f9aQ2bX81kdcanary/mcp", "no such path 4f9aQ2bX81kdcanary"),
        ("postgres://u:canary-one@h/db?sslpassword=canary-two", "canary-one canary-two"),
        ("{\"token\": \"canary-one\", \"a\": \"plain\"}", "no canary-one here"),
        ("admin:canary-one", "no canary-one here"),
    ] {
        let known: Secrets = [value].into_iter().collect();
        let shown = known.hide(repeated);
        assert!(!shown.contains("canary") && !shown.contains("ca-na-ry"), "{value}: {shown}");
    }
    let known: Secrets = ["host:8080"].into_iter().collect();
    assert_eq!(known.hide("port 8080 is in use"), "port 8080 is in use");
}

#[test]
fn short_values_are_hidden_as_words_and_shorter_ones_not_at_all() {
    let known: Secrets = ["pw12", "on", "sekrit"].into_iter().collect();
    assert_eq!(known.hide("it is on: pw12, spw12x, (sekrit)"), "it is on: [redacted], spw12x, ([redacted])");
    assert_eq!(known.hide("pw%31%32"), REDACTED);
    assert_eq!(format!("{known:?}"), "Secrets(2)");
    assert!(matches!(known.hide("nothing"), Cow::Borrowed(_)));
}

#[test]
fn of_a_setting_only_the_whole_is_hidden() {
    let mut known = Secrets::default();
    known.insert_named("MODE", "production-canary-west");
    known.insert_named("DB_PASS", "correct-horse-battery");
    known.insert_named("HOME", "/home/canary/things");
    assert_eq!(known.hide("in production-canary-west"), "in [redacted]");
    assert_eq!(known.hide("no production, no west"), "no production, no west");
    assert_eq!(known.hide("see /home/canary/log"), "see /home/canary/log");
    assert!(!known.hide("horse-battery").contains("horse"));
}

#[test]
fn a_setting_that_says_where_or_how_something_runs_stays() {
    let mut known = Secrets::default();
    for (name, value) in [
        ("LOG_LEVEL", "error"),
        ("NODE_ENV", "production"),
        ("DATA_DIR", "/srv/data"),
        ("DB_HOST", "localhost"),
    ] {
        known.insert_named(name, value);
    }
    let said = "error: cannot open /srv/data in production at localhost";
    assert_eq!(known.hide(said), said);
    known.insert_named("DB_PASSWORD", "production");
    assert_eq!(known.hide("in production"), "in [redacted]", "it is a password as well");
}

/// A script that is an argument has addresses in it, and is none.
#[test]
fn what_follows_an_address_in_a_script_is_no_query_of_it() {
    let mut known = Secrets::default();
    known.insert_url(
        "echo 'Cannot connect to unix:///var/run/docker.sock. Is the daemon running?. See the manual'; \
         curl 'https://ann:correct-horse@h/mcp?k=canary-of-query'; curl https://h/mcp?canary-of-another",
    );
    let said = "Cannot connect to unix:///var/run/docker.sock. Is the daemon running?. See the manual";
    assert_eq!(known.hide(said), said);
    for secret in ["correct-horse", "canary-of-query", "canary-of-another"] {
        assert_eq!(known.hide(&format!("got {secret}")), "got [redacted]");
    }
}

#[test]
fn what_our_own_command_line_holds_is_hidden_elsewhere() {
    let mut known = Secrets::default();
    known.insert_found_in("curl -s -u admin:hunter2 https://h | jq .token");
    assert_eq!(known.hide("hunter2 is not it"), "[redacted] is not it");
}

#[test]
fn a_value_is_hidden_before_a_line_is_cut_and_after_it_is_cleaned() {
    let secrets: Secrets = ["canary-value"].into_iter().collect();
    assert_eq!(secrets.line("key \u{1b}[1mcanary\u{200b}-va\u{1b}]0;x\u{7}lue", 40), "key [redacted]");
    assert!(!secrets.line("key canary-value", 10).contains("can"));
}

#[test]
fn s_k5_what_is_not_seen_takes_no_value_apart() {
    let known: Secrets = ["canary-value-of-a-header"].into_iter().collect();
    let apart = |between: &str| {
        let letters: Vec<String> = "canary-value-of-a-header".chars().map(String::from).collect();
        letters.join(between)
    };
    for between in [
        "\u{200b}",
        "\u{ad}",
        "\u{202e}",
        "\u{e0041}",
        "\u{1b}[31m",
        "\u{feff}\u{2066}",
        "\u{1b}]0;title\u{7}",
    ] {
        let text = format!("sent {}, r\u{e9}fus\u{e9}", apart(between));
        for hidden in [known.hide(&text), known.hide_known(&text)] {
            // Whatever shows it, with what is not seen or without.
            assert!(!crate::line(&hidden, 2_000).contains("nary"), "{between:?}: {hidden:?}");
            assert!(hidden.contains("r\u{e9}fus\u{e9}"), "{hidden:?}");
        }
    }
    // Cut in half.
    let half = apart("\u{200b}")[..60].to_owned();
    assert!(known.hide(&half).contains(REDACTED), "{half:?}");
    // By its look alone.
    let token = "ghp_\u{200b}abcdefghijklmnopqrstuvwxyz0123456789";
    assert!(!crate::line(&Secrets::default().hide(token), 2_000).contains("abcdefghijklm"));
    assert!(matches!(known.hide("r\u{e9}fus\u{e9} \u{200b} not"), Cow::Borrowed(_)));
}

#[test]
fn marks_are_cut_between_characters() {
    let known: Secrets = ["p\u{e4}sswort-geheim"].into_iter().collect();
    assert_eq!(known.hide("\u{e4}p\u{e4}sswort-geheim\u{e4}"), "\u{e4}[redacted]\u{e4}");
    for cut in 1..8 {
        let half: String = "p\u{e4}sswort-geheim".chars().skip(cut).collect();
        let _ = known.hide(&format!("\u{1f600}{half}\u{1f600}"));
    }
}

#[test]
fn many_values_and_a_long_text_take_linear_time() {
    let values: Vec<String> = (0..2_000).map(|number| format!("aaaaaaaaaaaaaaaa{number}")).collect();
    let known: Secrets = values.iter().map(String::as_str).collect();
    let hidden = known.hide(&"a".repeat(1 << 18)).into_owned();
    assert_eq!(hidden, REDACTED);
}

#[test]
fn fa_a63_a64_what_was_never_a_secret_stays_to_be_read() {
    for (value, said) in [
        ("Bearer undefined", "the token is undefined"),
        ("Bearer null", "no such user: null"),
        ("Bearer [object Object]", "cannot read [object Object]"),
        ("Authorization: Bearer correct-horse", "`Authorization` begins with the name of the header"),
    ] {
        let mut secrets = Secrets::default();
        secrets.insert(value);
        assert_eq!(secrets.hide(said), said, "{value}");
    }
    let mut secrets = Secrets::default();
    secrets.insert("Authorization: Bearer correct-horse");
    assert_eq!(secrets.hide("bad token correct-horse"), "bad token [redacted]");
}

#[test]
fn a_word_of_ours_is_left_though_a_secret_is_called_so() {
    for (insert, text, shown) in [
        ("http://h/mcp?k=tool", "install secret-tool", "install secret-tool"),
        ("http://h/mcp?k=tool", "it said tool.", "it said [redacted]."),
        ("http://h/mcp?k=to0l", "a secret-to0l", "a secret-[redacted]"),
        ("http://h/mcp?k=${keyring:mcp/secret-token}", "install secret-tool", "install secret-tool"),
        ("http://h/mcp?k=${cmd:pass show secret-tokens}", "install secret-tool", "install secret-tool"),
        ("http://h/mcp?k=s3cr3t-prefix-${keyring:a/b}", "got s3cr3t-prefix-x", "got [redacted]x"),
    ] {
        let mut secrets = Secrets::default();
        secrets.insert_url(insert);
        assert_eq!(secrets.hide(text), shown, "{insert}");
    }
    let mut secrets = Secrets::default();
    secrets.insert("Bearer ${keyring:mcp/Bearer-x}");
    assert!(secrets.is_empty());
}

/// A challenge begins as every token of the kind does, and says why the token was refused.
#[test]
fn the_scheme_of_a_credential_is_no_piece_of_it() {
    for (value, challenge) in [
        ("Bearer eyJhbGciOiJub25lIn0.e30.canary", "Bearer error=\"invalid_token\""),
        ("Bearer realm-canary-7", "Bearer realm=\"corp\""),
        ("DPoP error-canary-9", "DPoP error=\"use_dpop_nonce\""),
        ("basic YWRhOmNhbmFyeQ==", "Basic realm=\"corp\""),
    ] {
        let mut secrets = Secrets::default();
        secrets.insert(value);
        assert_eq!(secrets.hide(challenge), challenge, "{value}");
        assert!(!secrets.hide(&format!("you sent {value}, twice")).contains("canary"), "{value}");
        let (_, token) = value.split_once(' ').unwrap();
        let cut = &token[..token.len() - 2];
        assert!(!secrets.hide(&format!("sent Bearer {cut}")).contains(cut), "{value}");
    }
    // What merely looks like a scheme is a word of a passphrase.
    let secrets: Secrets = ["correct horse battery"].into_iter().collect();
    assert!(!secrets.hide("it was correct h").contains("correct h"));
}
