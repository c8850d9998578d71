// Drives Slack's own SDKs against a simulated workspace, and its people through the control API:
//
//   npm ci && node drive.mjs http://127.0.0.1:8484
//
// Each line printed is a step that held. The first one that does not ends with exit status 1.
import assert from 'node:assert/strict';
import { App, LogLevel } from '@slack/bolt';
import { SocketModeClient } from '@slack/socket-mode';
import { WebClient } from '@slack/web-api';

const base = process.argv[2] ?? 'http://127.0.0.1:8484';
const slackApiUrl = `${base}/slack/api/`;
const ana = 'U0ANASILVA1';
const channel = 'C0AWSROOT01';

const say = (line) => console.log(`ok - ${line}`);
const text = (s) => ({ type: 'plain_text', text: s });

async function control(act, body) {
  const response = await fetch(`${base}/control/slack/${act}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...(await response.json()) };
}

async function state() {
  return (await fetch(`${base}/control/slack/state`)).json();
}

async function until(what, probe) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`timed out waiting until ${what}`);
}

const messages = async (id) => (await state()).channels.find((c) => c.id === id).messages;
const viewsOf = async (user) => (await state()).views.filter((v) => v.user === user);

function modal(title, blocks) {
  return { type: 'modal', callback_id: 'form', title: text(title), submit: text('Go'), close: text('Back'), notify_on_close: true, blocks };
}

const reason = {
  type: 'input', block_id: 'reason', label: text('Reason'),
  element: { type: 'plain_text_input', action_id: 'text', initial_value: 'unused' },
};
const more = { type: 'actions', block_id: 'more', elements: [{ type: 'button', action_id: 'deeper', text: text('Deeper') }] };

const app = new App({
  token: 'xoxb-demo', appToken: 'xapp-demo', socketMode: true, logLevel: LogLevel.ERROR, clientOptions: { slackApiUrl },
});
const seen = { closed: [], homes: 0, retries: [], submitted: [] };

app.command('/rootcheck', async ({ ack, command, respond }) => {
  await ack({ text: `You said ${command.text}.` });
  await respond({ text: 'And later.', response_type: 'in_channel' });
});
app.action('open', async ({ ack, body, client }) => {
  await ack();
  await client.views.open({ trigger_id: body.trigger_id, view: modal('First', [reason, more]) });
});
app.action('deeper', async ({ ack, body, client }) => {
  await ack();
  await client.views.push({ trigger_id: body.trigger_id, view: modal('Second', [reason]) });
});
app.view('form', async ({ ack, view }) => {
  const given = view.state.values.reason.text.value;
  seen.submitted.push(given);
  if (given === 'bad') return ack({ response_action: 'errors', errors: { reason: 'Say why.' } });
  if (given === 'update') return ack({ response_action: 'update', view: modal('Updated', [reason, more]) });
  return ack();
});
app.view({ callback_id: 'form', type: 'view_closed' }, async ({ ack, body }) => {
  seen.closed.push(body.is_cleared);
  await ack();
});
app.event('app_home_opened', async ({ event, client }) => {
  seen.homes += 1;
  await client.views.publish({
    user_id: event.user,
    view: { type: 'home', blocks: [{ type: 'header', text: text('Root users') }, { type: 'section', text: { type: 'mrkdwn', text: '*All safe*' } }] },
  });
});
app.error(async (error) => {
  console.error('not ok -', error);
  process.exit(1);
});

await app.start();
await until('bolt is connected', async () => (await state()).sockets.length === 1);
say('bolt starts: auth.test, apps.connections.open, hello');

let out = await control('command', { user: ana, channel, command: '/rootcheck', text: 'keys' });
assert.equal(out.ok, true);
assert.equal(out.response.text, 'You said keys.');
await until('respond() was shown', async () => (await messages(channel)).some((m) => m.text === 'And later.' && m.ephemeral_to === ''));
assert.ok((await messages(channel)).some((m) => m.text === 'You said keys.' && m.ephemeral_to === ana));
say('a slash command is acknowledged with a message and answered by its response URL');

const posted = await app.client.chat.postMessage({
  channel, text: 'A key', metadata: { event_type: 'card', event_payload: { id: 'r1' } },
  blocks: [{ type: 'actions', block_id: 'a', elements: [{ type: 'button', action_id: 'open', text: text('Open…'), value: 'r1' }] }],
});
out = await control('click', { user: ana, channel, ts: posted.ts, action_id: 'open' });
assert.equal(out.ok, true);
const [first] = await until('the modal is open', async () => { const v = await viewsOf(ana); return v.length === 1 && v; });
assert.equal(first.title.text, 'First');
say('a click on a message opens a modal');

out = await control('submit', { user: ana, view_id: first.id, values: { reason: { text: { value: 'bad' } } } });
assert.equal(out.errors.reason, 'Say why.');
assert.equal((await viewsOf(ana))[0].errors.reason, 'Say why.');
say('errors stand under their field');

out = await control('submit', { user: ana, view_id: first.id, values: { reason: { text: { value: 'update' } } } });
assert.equal(out.ok, true);
assert.equal((await viewsOf(ana))[0].title.text, 'Updated');
say('a submission updates the modal');

out = await control('click', { user: ana, view_id: first.id, action_id: 'deeper' });
assert.equal(out.ok, true);
const stack = await until('the second modal is open', async () => { const v = await viewsOf(ana); return v.length === 2 && v; });
out = await control('submit', { user: ana, view_id: stack[1].id });
assert.equal(out.ok, true);
assert.equal(seen.submitted.at(-1), 'unused');
assert.equal((await viewsOf(ana)).length, 1);
say('a pushed modal closes on an empty acknowledgement, its initial value submitted');

out = await control('close', { user: ana, view_id: first.id, all: true });
assert.equal(out.ok, true);
assert.deepEqual(seen.closed, [true]);
say('closing tells the app, with is_cleared');

out = await control('home', { user: ana });
assert.equal(out.ok, true);
await until('the home tab is published', async () => (await state()).homes[ana]?.blocks.length === 2);
say('opening the Home tab publishes it');

const im = await app.client.conversations.open({ users: 'U0KIMMINJUN' });
const dm = await app.client.chat.postMessage({ channel: im.channel.id, text: '안녕하세요' });
await app.client.chat.update({ channel: im.channel.id, ts: dm.ts, text: '안녕하세요, 민준' });
assert.equal((await messages(im.channel.id))[0].text, '안녕하세요, 민준');
say('a DM is opened, written and updated');

await control('fault', { kind: 'refresh', for: '200ms' });
await until('bolt has another connection', async () => {
  const s = (await state()).sockets.filter((one) => !one.leaving);
  return s.length === 1;
});
out = await until('a click arrives after the refresh', async () => {
  const o = await control('command', { user: ana, channel, command: '/rootcheck', text: 'again' });
  return o.ok && o;
});
say('a refreshed connection comes back');

const web = new WebClient('xoxb-demo', { slackApiUrl, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true });
await assert.rejects(
  web.chat.postMessage({ channel, text: 'x', blocks: [{ type: 'header', text: text('h'.repeat(151)) }] }),
  (e) => e.data.error === 'invalid_blocks' && e.data.response_metadata.messages[0].includes('[json-pointer:/blocks/0/text/text]'),
);
const direct = (await web.conversations.open({ users: ana })).channel.id;
await assert.rejects(web.conversations.history({ channel: direct }), (e) => e.data.error === 'missing_scope' && e.data.needed === 'im:history');
await assert.rejects(new WebClient('xoxb-wrong', { slackApiUrl }).auth.test(), (e) => e.data.error === 'invalid_auth');
const people = [];
for await (const page of web.paginate('users.list', { limit: 3 })) people.push(...page.members);
assert.equal(new Set(people.map((p) => p.id)).size, people.length);
assert.ok(people.length >= 9);
say('web-api meets limits, scopes, tokens and cursors');
await app.stop();

await until('bolt has gone', async () => (await state()).sockets.length === 0);
const socket = new SocketModeClient({ appToken: 'xapp-demo', logLevel: 'error', clientOptions: { slackApiUrl } });
socket.on('app_home_opened', async ({ ack, retry_num: attempt, retry_reason: why }) => {
  seen.retries.push([attempt, why]);
  if (seen.retries.length > 1) await ack();
});
await socket.start();
out = await control('home', { user: ana });
assert.equal(out.acked, false);
await until('the event is retried and acknowledged', async () => seen.retries.length === 2 && (await state()).quiet);
assert.deepEqual(seen.retries, [[0, ''], [1, 'timeout']]);
say('socket-mode gets an event again that it did not acknowledge');
await socket.disconnect();
process.exit(0);
