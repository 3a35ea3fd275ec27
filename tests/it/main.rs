//! Everything a user can see, tested from outside through one binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up must fail, and says where"
)]

mod archives; // archives, documents, databases, bytecode; bombs and damage
mod bad_input; // wrong configuration, broken repositories, services that misbehave
mod call; // one request, sent safely and read
mod ci; // unleak ci and the Action, in a harness that plays the runner
mod command_line; // help, completions, the configuration reference, the demo
mod decode; // encodings, at the exact place in the original
mod docs; // every command of the documentation, run
mod explain; // what was passed over, and why
mod formats; // files whose format says where a secret stands
mod history; // git: history, index, ranges
mod hooks; // hooks of git, alone and run by pre-commit, lefthook and husky
mod house; // the rules of this repository
mod imported; // rules of gitleaks and betterleaks
mod intake; // the doors for reports of leaks
mod layers; // which module may use which
mod manners; // where to never, how often, what is not asked twice
mod migrate; // what other scanners were told, carried over
mod notify; // telling owners, over real sockets
mod owner; // who must hear
mod packaging; // one version everywhere
mod packs; // the walk over packs against git2, and packs that lie
mod pages; // what people see in a browser, and who sees what
mod pipeline; // tasks and workers, killed and starved
mod plaintext; // every output of the whole loop, searched for secrets
mod played; // a service played on loopback, for call, probe and verify
mod played_services; // whole services on loopback, and the real binary led through the loop
mod policy; // what may be done
mod probe; // made-up tokens
mod reach; // what no file of a commit holds, and how a scan ends early
mod real; // services of others that run here: an OAuth server, JupyterHub, moto
mod replies; // recorded exchanges against the rules' expectations
mod report; // text, JSON
mod reports; // the page, and what GitHub and GitLab read
mod respond; // the life of one leak, cut off anywhere
mod revoke; // the ways to end a token, against services that refuse, delay and lie
mod rules; // rule files: the shipped ones and broken ones
mod sarif; // SARIF 2.1.0
mod sarif_validator; // SARIF as Microsoft's validator sees it
mod scan; // files, folders, standard input
mod secrecy; // no secret in logs, errors and URLs of calls
mod services; // Sentry, PostHog and GoCD played on loopback, through the whole loop
mod store; // what is remembered, and the ledger
mod support; // what the tests share
mod template; // filling a call in: no value leaves its place
mod token_service; // the embedded token service, over HTTP and at the command line
mod verify; // verdicts and identities
mod weigh; // severity by what a token opens
