// @homebridge/ciao and bonjour-service as peers of the interoperability tests: node node_peer.js ciao|bonjour ORDER.
//
// ORDER is a JSON object that says what to do, {"publish": {...}} or {"browse": {...}}; lines of JSON on standard input
// change it; what happens is printed as lines of JSON. All of the Rust side of this is in ../peer.rs.
'use strict';
const readline = require('readline');

const say = (event, rest) => process.stdout.write(JSON.stringify({ event, ...rest }) + '\n');
const bare = (label) => label.replace(/^_/, '');
// Neither program can publish a key without a value: both write `key=` and the value.
const txtOf = (pairs) => Object.fromEntries(pairs);
const split = (type) => {
  const [name, protocol] = type.split('.').map(bare);
  return { name, protocol };
};
const commands = (run) => {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => run(JSON.parse(line)));
  lines.on('close', () => process.exit());
};

function ciaoPublishes(families, order) {
  const responder = require('@homebridge/ciao').getResponder({ interface: 'eth0' });
  const { name: type, protocol } = split(order.type);
  const service = responder.createService({
    name: order.name,
    type,
    protocol,
    port: order.port,
    txt: txtOf(order.txt),
    subtypes: order.subtypes.map(bare),
    hostname: order.host,
    disabledIpv6: !families.includes(6),
  });
  service.on('name-change', (instance) => say('renamed', { instance }));
  const instance = () => service.getFQDN().slice(0, -`.${order.type}.local.`.length);
  service.advertise().then(() => say('published', { instance: instance() }));
  commands((command) => {
    if (command.txt) {
      service.updateTxt(txtOf(command.txt));
      say('updated');
    } else if (command.withdraw) {
      service.end().then(() => say('withdrawn'));
    }
  });
}

function bonjourPublishes(order) {
  // It reports a name that is taken with console.log and in no other way.
  console.log = (what) => say(/already in use/.test(String(what)) ? 'refused' : 'said', { what: String(what) });
  const bonjour = new (require('bonjour-service').Bonjour)();
  const { name: type, protocol } = split(order.type);
  const publish = (txt) => {
    const subtypes = order.subtypes.map(bare);
    const { name, port, probe } = order;
    const service = bonjour.publish({ name, type, protocol, port, txt: txtOf(txt), subtypes, probe });
    service.on('up', () => say('published', { instance: service.name }));
    return service;
  };
  let service = publish(order.txt);
  commands((command) => {
    if (command.txt) {
      // It has no other way to change a TXT record.
      service.stop(() => {
        service = publish(command.txt);
        say('updated');
      });
    } else if (command.withdraw) {
      service.stop(() => say('withdrawn'));
    }
  });
}

function bonjourBrowses(order) {
  const bonjour = new (require('bonjour-service').Bonjour)();
  const { name: type, protocol } = split(order.type);
  const suffix = `.${order.type}.local`;
  // Its own decoding knows neither empty values nor keys without one, but it hands out the strings too.
  const txt = (strings) =>
    Object.fromEntries(
      (strings || [])
        .map(String)
        .filter((pair) => pair !== '')
        .map((pair) => (pair.includes('=') ? pair.split(/=(.*)/s).slice(0, 2) : [pair, null])),
    );
  const tell = (event) => (service) =>
    say(event, {
      instance: service.fqdn.slice(0, -suffix.length),
      host: service.host,
      port: service.port,
      addresses: service.addresses,
      txt: txt(service.rawTxt),
    });
  const browser = bonjour.find({ type, protocol });
  browser.on('up', tell('found'));
  browser.on('txt-update', tell('changed'));
  browser.on('srv-update', tell('changed'));
  browser.on('down', tell('lost'));
  say('browsing');
  commands(() => {});
}

const [library, text] = process.argv.slice(2);
const order = JSON.parse(text);
if (library === 'ciao') {
  ciaoPublishes(order.families, order.publish);
} else if (order.publish) {
  bonjourPublishes(order.publish);
} else {
  bonjourBrowses(order.browse);
}
