//! Runs a soak: builds the LAN, starts a house on each host, deals the blows that are drawn, hears what the houses say, and has
//! it judged. At the end everything is left alone until everybody has to see everybody.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use landfall_testvectors::lab::{Lab, Skip};

use crate::bounds::Bounds;
use crate::churn::{Churn, Deed, Saying};
use crate::clock::now;
use crate::figures::weight;
use crate::judge::Judge;
use crate::messages::seconds;
use crate::plan::{Millis, Number, Plan, Runtime};
use crate::talk::{Order, Said};
use crate::truth::State;

/// A soak with so many broken promises has shown what it can.
const ENOUGH: usize = 20;
/// How often every node is looked at.
const LOOK_EVERY: Millis = 1_000;
/// How often a line says how it goes.
const SAY_EVERY: Millis = 5_000;
/// How long the director waits for something to be said.
const STEP: Duration = Duration::from_millis(20);
/// How long the nodes may take to say goodbye.
const FAREWELL: Millis = 10_000;

/// When what begins, after the soak's own beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Until when the last node starts.
    ramp: Millis,
    /// Until when there is a first calm, after which memory is weighed: the warm-up. Short soaks have none.
    pub(crate) warm: Option<Millis>,
    calm: Millis,
    pub(crate) total: Millis,
    pace: Millis,
}

impl Schedule {
    /// # Errors
    /// When so many nodes cannot be put through anything in that time: what would do.
    pub(crate) fn of(plan: &Plan, total: Duration, pace: Option<Duration>) -> Result<Self, String> {
        let total = millis(total);
        let calm = Bounds::of(plan).calm(plan);
        let nodes = Millis::from(plan.nodes);
        let ramp = (3 * nodes * nodes).max(50 * nodes);
        let least = ramp + calm + calm / 2;
        if total < least {
            return Err(format!(
                "{} nodes take {} to start and {} to be seen by all at the end: give it {} minutes, or fewer nodes, or a shorter \
                 --interval",
                nodes,
                seconds(ramp),
                seconds(calm),
                (least / 6_000 + 1) as f64 / 10.0
            ));
        }
        let early = total * 2 / 5;
        let warm = (early >= ramp + calm + calm / 2).then_some(early);
        let pace = pace.map_or_else(|| (total / 60).min(4_000), millis);
        Ok(Self { ramp, warm, calm, total, pace })
    }

    fn is_quiet(&self, time: Millis) -> bool {
        let ends = [self.warm, Some(self.total)];
        ends.into_iter().flatten().any(|end| time >= end.saturating_sub(self.calm) && time < end)
    }
}

fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

/// Why there was no soak.
pub(crate) enum Failure {
    /// This machine gives no lab.
    NoLab(Skip),
    System(String),
}

/// A process on a host of the lab.
struct House {
    child: Child,
    orders: Option<ChildStdin>,
}

/// What is heard of a house: what it says, or that it says nothing more.
type Heard = (u8, Option<Said>);

struct Soak {
    plan: Plan,
    schedule: Schedule,
    lab: Lab,
    houses: Vec<House>,
    heard: Receiver<Heard>,
    judge: Judge,
    churn: Churn,
    began: Millis,
}

/// Runs it, and gives what was seen.
pub(crate) fn run(plan: &Plan, schedule: Schedule) -> Result<Judge, Failure> {
    let lab = Lab::new(plan.hosts).map_err(Failure::NoLab)?;
    let (tell, heard) = mpsc::channel();
    let mut houses = Vec::new();
    for host in lab.hosts() {
        houses.push(open(plan, &lab, host.number(), &tell).map_err(Failure::System)?);
    }
    let began = now();
    let mut soak = Soak {
        judge: Judge::new(plan, began),
        churn: Churn::new(plan, schedule.pace, schedule.ramp, began),
        plan: plan.clone(),
        schedule,
        lab,
        houses,
        heard,
        began,
    };
    soak.go_on();
    soak.end();
    Ok(soak.judge)
}

fn open(plan: &Plan, lab: &Lab, host: u8, tell: &Sender<Heard>) -> Result<House, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    let plan = serde_json::to_string(plan).map_err(|error| error.to_string())?;
    let mut command = lab.host(host).command(own);
    command.args(["--house", &plan]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("host {host} cannot be entered: {error}"))?;
    let (orders, says) = (child.stdin.take(), child.stdout.take());
    let tell = tell.clone();
    thread::spawn(move || {
        let lines = says.into_iter().flat_map(|says| BufReader::new(says).lines().map_while(Result::ok));
        for line in lines {
            match serde_json::from_str(&line) {
                Ok(said) => drop(tell.send((host, Some(said)))),
                Err(error) => eprintln!("soak: host {host} says what makes no sense: {error}: {line}"),
            }
        }
        let _ = tell.send((host, None));
    });
    Ok(House { child, orders })
}

impl Soak {
    fn time(&self) -> Millis {
        now().saturating_sub(self.began)
    }

    fn go_on(&mut self) {
        let (mut look, mut say) = (self.began, self.began + SAY_EVERY);
        let (mut was_quiet, mut warm) = (false, None);
        while self.time() < self.schedule.total && self.judge.broken.len() < ENOUGH {
            self.listen(STEP);
            let quiet = self.schedule.is_quiet(self.time());
            if quiet && !was_quiet {
                self.churn.restore(now());
            }
            if was_quiet && !quiet && warm.is_none() {
                warm = Some(self.judge.health.clone());
                self.judge.figures.warm = Some(weight(&self.judge.health));
            }
            was_quiet = quiet;
            while let Some(deed) = self.churn.deed(now(), quiet, &self.judge.truth) {
                self.deal(deed);
                self.listen(Duration::ZERO);
            }
            if let Some(saying) = self.churn.saying(now(), &self.judge.truth) {
                self.send(saying);
            }
            if now() >= look {
                look = now() + LOOK_EVERY;
                self.judge.look_back(now());
                (1..=self.plan.hosts).for_each(|host| self.order(host, &Order::Look));
            }
            if now() >= say {
                say = now() + SAY_EVERY;
                println!("{}", self.line());
            }
        }
        if let Some(before) = warm {
            self.judge.weigh(&before, now());
        }
    }

    /// Takes what was said, and waits for it for so long if there is nothing.
    fn listen(&mut self, limit: Duration) {
        let mut next = self.heard.recv_timeout(limit);
        loop {
            match next {
                Ok((house, Some(said))) => self.judge.hear(house, said),
                Ok((house, None)) => self.fallen(house),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
            next = self.heard.recv_timeout(Duration::ZERO);
        }
    }

    fn fallen(&mut self, house: u8) {
        let Some(fallen) = self.houses.get_mut(usize::from(house) - 1).filter(|house| house.orders.is_some()) else {
            return;
        };
        fallen.orders = None;
        let how = fallen.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        self.judge.fallen(house, now(), &how);
    }

    fn order(&mut self, house: u8, order: &Order) {
        let orders = self.houses.get_mut(usize::from(house) - 1).and_then(|house| house.orders.as_mut());
        if let (Some(orders), Ok(line)) = (orders, serde_json::to_string(order)) {
            // A house that has fallen is heard of.
            let _ = orders.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn order_node(&mut self, node: Number, order: &Order) {
        self.order(self.plan.host(node), order);
    }

    fn send(&mut self, Saying { from, to, length }: Saying) {
        let number = self.judge.messages.send(from, to, now());
        self.order_node(from, &Order::Send { from, to, number, length });
    }

    fn deal(&mut self, deed: Deed) {
        match deed {
            Deed::Start { node, keep } => {
                // Whoever has not ended yet is started when it has.
                if self.judge.truth.node(node).state == State::Between {
                    self.churn.later(now(), deed);
                    return;
                }
                self.judge.truth.set_state(node, State::Between, now());
                if !keep {
                    self.judge.truth.new_store(node);
                }
                self.order_node(node, &Order::Start { node, keep });
            }
            Deed::Stop { node } => {
                self.judge.truth.set_state(node, State::Between, now());
                self.judge.figures.stops += 1;
                self.judge.figures.stopping.insert(node);
                self.order_node(node, &Order::Stop { node });
            }
            Deed::Kill { node } => {
                self.judge.truth.set_state(node, State::Between, now());
                self.judge.figures.kills += 1;
                self.order_node(node, &Order::Kill { node });
            }
            Deed::Jump { node, by } => {
                self.judge.truth.disturb(node, now());
                self.judge.figures.jumps += 1;
                self.order_node(node, &Order::Jump { node, by });
            }
            Deed::Renumber { host, to } => {
                self.judge.figures.renumbered += 1;
                self.judge.truth.add_address(host, to.into());
                self.change_link(host, |lab| lab.renumber(host, to), None, None);
            }
            Deed::Cut { host } => {
                self.judge.figures.cut += 1;
                self.change_link(host, |lab| lab.cut(host), Some(false), None);
            }
            Deed::Join { host } => self.change_link(host, |lab| lab.join(host), Some(true), None),
            Deed::Lose { host, percent } => {
                self.judge.figures.losses += u64::from(percent > 0);
                self.change_link(host, |lab| lab.loss(host, percent), None, Some(percent > 0));
            }
        }
    }

    /// Does something to a host's link. While that is done, whom anybody sees there is left open, but for loss, which hides
    /// nobody.
    fn change_link(&mut self, host: u8, act: impl FnOnce(&Lab), plugged_in: Option<bool>, lossy: Option<bool>) {
        if lossy.is_none() {
            self.judge.truth.change_host(host, now(), |host| host.between = true);
        }
        act(&self.lab);
        self.judge.truth.change_host(host, now(), |host| {
            host.between = false;
            host.plugged_in = plugged_in.unwrap_or(host.plugged_in);
            host.lossy = lossy.unwrap_or(host.lossy);
        });
    }

    /// How it goes.
    fn line(&self) -> String {
        let time = self.time() / 1000;
        let truth = &self.judge.truth;
        let (right, due) = self.judge.seen.values().fold((0, 0), |sum, seen| (sum.0 + seen.0, sum.1 + seen.1));
        let (_, memory) = weight(&self.judge.health);
        let figures = &self.judge.figures;
        let mut line = format!(
            "{:2}:{:02}  {} of {} up  {right} of {due} sights  {} messages  {} starts {} stops {} kills  {} MiB",
            time / 60,
            time % 60,
            truth.up(),
            self.plan.nodes,
            self.judge.messages.sent,
            figures.starts,
            figures.stops,
            figures.kills,
            memory / 1024
        );
        for host in 1..=self.plan.hosts {
            let state = truth.host(host);
            if !state.plugged_in {
                line += &format!("  host {host} cut");
            } else if state.lossy {
                line += &format!("  host {host} loses");
            }
        }
        if self.schedule.is_quiet(self.time()) {
            line += "  (calm)";
        }
        line
    }

    /// Everybody says goodbye and the houses close.
    fn end(&mut self) {
        let up: Vec<Number> = self.plan.numbers().filter(|node| self.judge.truth.is_up(*node)).collect();
        self.judge.figures.at_end(&self.judge.health, self.plan.nodes);
        for node in up {
            self.judge.truth.set_state(node, State::Between, now());
            self.judge.figures.stopping.insert(node);
            self.order_node(node, &Order::Stop { node });
        }
        let until = now() + FAREWELL;
        let is_between = |judge: &Judge, node| judge.truth.node(node).state == State::Between;
        while now() < until && self.plan.numbers().any(|node| is_between(&self.judge, node)) {
            self.listen(STEP);
        }
        let late: Vec<Number> = self.plan.numbers().filter(|node| is_between(&self.judge, *node)).collect();
        for node in late {
            self.judge.does_not_end(node, now());
        }
        for house in &mut self.houses {
            house.orders = None;
        }
        for house in &mut self.houses {
            let _ = house.child.wait();
        }
        self.listen(Duration::ZERO);
    }
}

/// What there is, in words.
pub(crate) fn describe(plan: &Plan, schedule: &Schedule) -> String {
    let Bounds { meet, again, goodbye, silent } = Bounds::of(plan);
    let smol = plan.numbers().filter(|node| plan.runtime(*node) == Runtime::Smol).count();
    format!(
        "soak: {} nodes ({smol} by smol, {} by mio) on {} hosts for {}, seed {}\n\
         stated times: newcomers meet within {}, again within {}, a goodbye counts within {}, a silence within {}",
        plan.nodes,
        usize::from(plan.nodes) - smol,
        plan.hosts,
        seconds(schedule.total),
        plan.seed,
        seconds(meet),
        seconds(again),
        seconds(goodbye),
        seconds(silent)
    )
}
