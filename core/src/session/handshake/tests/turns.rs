//! Whose turn it is: frames while a job is under way, results that nobody waits for, jobs that fail, and what is shown.

use alloc::format;

use super::*;
use crate::job::{JobOutput, Keyring, Task};

/// Takes one job's result after a frame was refused because of it.
fn refuse_and_go_on(handshake: &mut Handshake, keyring: &SoftwareKeyring, task: Task, frame: &[u8]) -> Progress {
    assert_eq!(refused(handshake.receive(frame)), Refusal::Busy);
    assert!(!handshake.is_over());
    handshake.job_done(task.run(keyring))
}

fn task(progress: Progress) -> Task {
    let Progress::Work(task) = progress else { panic!("{progress:?}") };
    task
}

#[test]
fn a_frame_that_comes_while_a_job_is_under_way_is_refused_without_harm() {
    let Honest { m1, m2, m3, .. } = honest(Path::Direct);
    let (mut calling, first) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(3), SID_I).unwrap();
    assert_eq!(sent(refuse_and_go_on(&mut calling, &i(), first, &m2)), m1);
    let mut jobs = [task(calling.receive(&m2))].to_vec();
    for _ in 0..2 {
        let next = task(refuse_and_go_on(&mut calling, &i(), jobs.pop().unwrap(), &m2));
        jobs.push(next);
    }
    let at_initiator = established(refuse_and_go_on(&mut calling, &i(), jobs.pop().unwrap(), &m2));

    let (mut answering, first) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
    jobs.push(first);
    for _ in 0..2 {
        let next = task(refuse_and_go_on(&mut answering, &r(), jobs.pop().unwrap(), &m3));
        jobs.push(next);
    }
    assert_eq!(sent(refuse_and_go_on(&mut answering, &r(), jobs.pop().unwrap(), &m3)), m2);
    let last = task(answering.receive(&m3));
    let at_responder = established(refuse_and_go_on(&mut answering, &r(), last, &m3));
    assert_mirrored(at_initiator.keys(), at_responder.keys());
}

#[test]
fn work_comes_in_the_order_of_its_price_and_no_more_of_it() {
    let Honest { m1, m2, m3, .. } = honest(Path::Direct);
    let follow = |mut handshake: Handshake, first: Option<Task>, frame: Option<&[u8]>, keyring: &SoftwareKeyring| {
        let mut kinds = Vec::new();
        let mut progress = first.map_or_else(|| handshake.receive(frame.unwrap()), Progress::Work);
        while let Progress::Work(task) = progress {
            kinds.push(format!("{task:?}"));
            progress = handshake.job_done(task.run(keyring));
        }
        (handshake, kinds.join(" "))
    };
    let (calling, first) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(3), SID_I).unwrap();
    let (calling, kinds) = follow(calling, Some(first), None, &i());
    assert_eq!(kinds, r#"Task("dh")"#);
    assert_eq!(follow(calling, None, Some(&m2), &i()).1, r#"Task("dh") Task("verify") Task("sign")"#);
    let (answering, first) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
    let (answering, kinds) = follow(answering, Some(first), None, &r());
    assert_eq!(kinds, r#"Task("dh") Task("dh") Task("sign")"#);
    assert_eq!(follow(answering, None, Some(&m3), &r()).1, r#"Task("verify")"#);
}

#[test]
fn a_result_that_nobody_waits_for_changes_nothing() {
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, m2) = responder(Path::Direct, &m1);
    let outputs = [JobOutput::Verified(true), JobOutput::Signed([0; 64]), JobOutput::SigningFailed];
    for handshake in [&mut calling, &mut answering] {
        for output in outputs.clone() {
            assert!(matches!(handshake.job_done(output), Progress::Wait));
        }
    }
    let at_initiator = established(hear(&mut calling, &i(), &m2));
    let m3 = at_initiator.m3().unwrap();
    established(hear(&mut answering, &r(), m3));
    assert!(matches!(calling.job_done(JobOutput::Verified(true)), Progress::Wait));
}

#[test]
fn a_key_that_does_not_answer_ends_the_handshake() {
    struct Absent;
    impl Keyring for Absent {
        fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
            None
        }
    }
    let run = |handshake: &mut Handshake, mut progress: Progress| {
        while let Progress::Work(task) = progress {
            progress = handshake.job_done(task.run(&Absent));
        }
        progress
    };
    let (mut calling, m1) = initiator(Path::Direct);
    let (mut answering, first) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
    assert!(matches!(run(&mut answering, Progress::Work(first)), Progress::SigningFailed));
    let (_, m2) = responder(Path::Direct, &m1);
    let progress = calling.receive(&m2);
    assert!(matches!(run(&mut calling, progress), Progress::SigningFailed));
    assert!(calling.is_over() && answering.is_over());
}

#[test]
fn the_result_of_another_job_is_never_taken_for_the_one_that_was_asked_for() {
    let Honest { m1, m2, m3, .. } = honest(Path::Direct);
    let mixed_up = || [JobOutput::Opened(None), JobOutput::Sealed(m1.clone()), JobOutput::Verified(false)];
    for output in mixed_up() {
        let (mut calling, _) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(3), SID_I).unwrap();
        assert!(matches!(calling.job_done(output.clone()), Progress::SigningFailed));
        let (mut answering, _) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
        assert!(matches!(answering.job_done(output.clone()), Progress::SigningFailed));
        assert!(calling.is_over() && answering.is_over());

        let (mut answering, first) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
        task(answering.job_done(first.run(&r())));
        assert_eq!(refused(answering.job_done(output.clone())), Refusal::Key);
        assert!(answering.is_over());

        // Once frames were sent there is something to go back to.
        let (mut calling, _) = initiator(Path::Direct);
        task(calling.receive(&m2));
        assert_eq!(refused(calling.job_done(output.clone())), Refusal::Key);
        let agreed = task(calling.receive(&m2));
        task(calling.job_done(agreed.run(&i())));
        assert_eq!(refused(calling.job_done(output.clone())), Refusal::Signature);
        established(hear(&mut calling, &i(), &m2));
        let (mut answering, _) = responder(Path::Direct, &m1);
        task(answering.receive(&m3));
        assert_eq!(refused(answering.job_done(output)), Refusal::Signature);
        established(hear(&mut answering, &r(), &m3));
    }
}

#[test]
fn no_state_shows_a_secret() {
    let (mut calling, first) = Handshake::initiate(i().id(), r().id(), Path::Direct, secret(3), SID_I).unwrap();
    let mut shown = format!("{calling:?} {first:?}");
    let m1 = sent(calling.job_done(first.run(&i())));
    let (mut answering, mut progress) = {
        let (answering, first) = Handshake::respond(r().id(), Path::Direct, secret(4), SID_R, &m1).unwrap();
        (answering, Progress::Work(first))
    };
    let mut next = |handshake: &mut Handshake, keyring: &SoftwareKeyring, mut progress: Progress| {
        while let Progress::Work(task) = progress {
            shown += &format!("{handshake:?} {task:?}");
            let output = task.run(keyring);
            shown += &format!("{output:?}");
            progress = handshake.job_done(output);
        }
        shown += &format!("{handshake:?}");
        progress
    };
    progress = next(&mut answering, &r(), progress);
    let m2 = sent(progress);
    let received = calling.receive(&m2);
    let at_initiator = established(next(&mut calling, &i(), received));
    let received = answering.receive(at_initiator.m3().unwrap());
    let at_responder = established(next(&mut answering, &r(), received));
    shown += &format!("{at_initiator:?} {at_responder:?} {:?}", gate());

    let rogue = Rogue::initiator(&Path::Direct, &m1, &m2, &secret(3));
    let mut secrets = [secret(3), secret(4)].to_vec();
    secrets.extend([Role::Initiator, Role::Responder].map(|role| rogue.schedule.sealing(role)));
    secrets.extend([Role::Initiator, Role::Responder].map(|role| rogue.schedule.mac(role)));
    secrets.push(crypto::agree(&secret(3), &crypto::public_key(&secret(4))).unwrap());
    secrets.extend([at_initiator.keys().sending(), at_initiator.keys().receiving()].map(Clone::clone));
    secrets.push(at_initiator.keys().exporter().clone());
    for secret in secrets {
        let digits = format!("{:?}", &secret.expose()[..4]);
        assert!(!shown.contains(digits.trim_matches(['[', ']'])), "{digits}");
    }
    let public = format!("{:?}", at_initiator.keys().session_id());
    assert!(shown.contains(&public), "that is how bytes would show");
}
