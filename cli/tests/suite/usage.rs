//! The tool without a call of AWS.

use tokio::io::AsyncReadExt;

use crate::tool::Tool;

#[tokio::test]
async fn each_shell_gets_completions_of_every_command() {
    let tool = Tool::bare();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = tool.run(&["completions", shell]).await;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        for word in ["completions", "endpoint-url"] {
            assert!(output.stdout.contains(word), "{shell} lacks {word}");
        }
    }
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_help_with_0() {
    let tool = Tool::bare();
    for (arguments, code, message) in [
        (&["--help"][..], 0, "Usage: logs-archive"),
        (&[], 2, "Usage: logs-archive"),
        (&["no-such-command"], 2, "unrecognized subcommand 'no-such-command'"),
        (&["--output", "xml", "completions", "bash"], 2, "[possible values: table, json, jsonl]"),
        (&["completions", "--output", "xml", "bash"], 2, "[possible values: table, json, jsonl]"),
    ] {
        let output = tool.run(arguments).await;
        let (text, silent) = if code == 0 { (&output.stdout, &output.stderr) } else { (&output.stderr, &output.stdout) };
        assert!(output.code == code && text.contains(message) && silent.is_empty(), "{arguments:?}: {output:#?}");
    }
}

#[tokio::test]
async fn a_closed_pipe_is_not_a_failure() {
    let mut tool = Tool::bare().command(&["completions", "bash"]).spawn().expect("the tool starts");
    drop(tool.stdout.take());
    let mut stderr = String::new();
    tool.stderr.take().expect("a pipe").read_to_string(&mut stderr).await.expect("UTF-8");
    assert_eq!((tool.wait().await.expect("it ends").code(), stderr.as_str()), (Some(0), ""));
}
