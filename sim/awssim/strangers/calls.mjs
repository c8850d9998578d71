// Every call that the bot makes, by clients that nobody here wrote, against the endpoint in AWS_ENDPOINT_URL.
// It prints one line for each claim and exits with status 1 when one does not hold. The organization must be a fresh one
// with CONTROL_URL beside it, so that faults can be ordered and the clock moved.
import assert from 'node:assert/strict';
import * as iam from '@aws-sdk/client-iam';
import * as sts from '@aws-sdk/client-sts';
import * as orgs from '@aws-sdk/client-organizations';
import * as account from '@aws-sdk/client-account';
import * as trail from '@aws-sdk/client-cloudtrail';

const endpoint = process.env.AWS_ENDPOINT_URL;
const control = process.env.CONTROL_URL;
const stranger = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' };
const lab = { accessKeyId: 'AKIA6RVFFB77627YQRS7', secretAccessKey: 'simulatedLabRootSecretAccessKey000000001' };
const other = 'AKIA6RVFFB77QGW62KNL';
const payments = '333333333333';
const data = '444444444444';
const tower = '141414141414';
const task = (name) => ({ arn: `arn:aws:iam::aws:policy/root-task/${name}` });
const audit = task('IAMAuditRootUserCredentials');
const remove = task('IAMDeleteRootUserCredentials');

const make = (Client) => (credentials = stranger, region = 'us-east-1') =>
  new Client({ endpoint, region, credentials, maxAttempts: 1 });
const IAM = make(iam.IAMClient);
const STS = make(sts.STSClient);
const Orgs = make(orgs.OrganizationsClient);
const Account = make(account.AccountClient);
const Trail = make(trail.CloudTrailClient);

let failed = 0;
let held = 0;
async function claim(text, run) {
  try {
    await run();
    held++;
    console.log(`ok    ${text}`);
  } catch (e) {
    failed++;
    console.log(`FAIL  ${text}: ${e?.message ?? e}`);
  }
}

// refused asserts that a call ends in the service's own error, with a request id, and returns that error.
async function refused(promise, name, status) {
  try {
    await promise;
  } catch (e) {
    assert.equal(e.name, name, `${e.name}: ${e.message}`);
    if (status) assert.equal(e.$metadata?.httpStatusCode, status);
    assert.ok(e.$metadata?.requestId, 'the error has no request id');
    return e;
  }
  assert.fail(`want ${name}, got an answer`);
}

async function order(path, body) {
  const r = await fetch(`${control}/${path}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal(r.status, 200, await r.text());
}

async function root(target, policy = audit, seconds) {
  const { Credentials: c } = await STS().send(
    new sts.AssumeRootCommand({ TargetPrincipal: target, TaskPolicyArn: policy, DurationSeconds: seconds }));
  assert.ok(c.Expiration instanceof Date);
  return { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken };
}

async function role(id) {
  const { Credentials: c, AssumedRoleUser: u } = await STS().send(
    new sts.AssumeRoleCommand({ RoleArn: `arn:aws:iam::${id}:role/rootcheck-audit`, RoleSessionName: 'strangers' }));
  assert.match(u.Arn, /assumed-role\/rootcheck-audit\/strangers$/);
  return { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken };
}

// ---- STS
await claim('GetCallerIdentity names an administrator of the management account', async () => {
  const who = await STS().send(new sts.GetCallerIdentityCommand({}));
  assert.equal(who.Account, '111111111111');
  assert.ok(who.Arn && who.UserId && who.$metadata.requestId);
});
await claim('AssumeRoot makes a caller the root user of a member', async () => {
  const who = await STS(await root(payments)).send(new sts.GetCallerIdentityCommand({}));
  assert.equal(who.Arn, `arn:aws:iam::${payments}:root`);
});
await claim('AssumeRoot refuses 901 seconds', () => refused(root(payments, audit, 901), 'ValidationError', 400));
await claim('AssumeRoot refuses the management account', () => refused(root('111111111111'), 'AccessDenied', 403));
await claim('AssumeRoot refuses another policy', () => refused(root(payments, { arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }), 'ValidationError', 400));
await claim('AssumeRoot is unknown to the global endpoint', () => refused(
  STS(stranger, 'aws-global').send(new sts.AssumeRootCommand({ TargetPrincipal: payments, TaskPolicyArn: audit })), 'InvalidAction', 400));
await claim('GetAccessKeyInfo answers outside of a root session and is denied inside', async () => {
  const info = await STS().send(new sts.GetAccessKeyInfoCommand({ AccessKeyId: lab.accessKeyId }));
  assert.equal(info.Account, '999999999999');
  await refused(STS(await root(payments)).send(new sts.GetAccessKeyInfoCommand({ AccessKeyId: lab.accessKeyId })), 'AccessDenied', 403);
});

// ---- IAM under the audit policy
await claim('a root session reads keys, last use, devices, certificates, the user and the summary', async () => {
  const c = IAM(await root(data));
  const { AccessKeyMetadata: keys, IsTruncated } = await c.send(new iam.ListAccessKeysCommand({}));
  assert.deepEqual(keys.map((k) => k.Status).sort(), ['Active', 'Inactive']);
  assert.equal(IsTruncated, false);
  assert.ok(keys.every((k) => k.CreateDate instanceof Date && k.UserName === undefined));
  const { AccessKeyLastUsed: used } = await c.send(new iam.GetAccessKeyLastUsedCommand({ AccessKeyId: keys[0].AccessKeyId }));
  assert.ok(used.LastUsedDate instanceof Date && used.ServiceName && used.Region);
  const { MFADevices } = await c.send(new iam.ListMFADevicesCommand({}));
  assert.equal(MFADevices.length, 1);
  assert.doesNotMatch(MFADevices[0].SerialNumber, /:/);
  assert.deepEqual((await c.send(new iam.ListSigningCertificatesCommand({}))).Certificates ?? [], []);
  assert.ok((await c.send(new iam.GetLoginProfileCommand({}))).LoginProfile.CreateDate instanceof Date);
  const { User } = await c.send(new iam.GetUserCommand({}));
  assert.equal(User.UserId, data);
  assert.equal(User.UserName, undefined);
  const { SummaryMap } = await c.send(new iam.GetAccountSummaryCommand({}));
  assert.equal(SummaryMap.AccountAccessKeysPresent, 1);
  assert.equal(SummaryMap.AccountMFAEnabled, 1);
  assert.equal(SummaryMap.AccountPasswordPresent, 1);
});
await claim('it may not change anything, nor name a user', async () => {
  const c = IAM(await root(data));
  const { AccessKeyMetadata: [k] } = await c.send(new iam.ListAccessKeysCommand({}));
  const e = await refused(c.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: k.AccessKeyId })), 'AccessDenied', 403);
  assert.match(e.message, /is not authorized to perform: iam:DeleteAccessKey on resource: arn:aws:iam::444444444444:root with an explicit deny/);
  await refused(c.send(new iam.UpdateAccessKeyCommand({ AccessKeyId: k.AccessKeyId, Status: 'Inactive' })), 'AccessDenied', 403);
  await refused(c.send(new iam.ListAccessKeysCommand({ UserName: 'root' })), 'AccessDenied', 403);
  await refused(c.send(new iam.ListVirtualMFADevicesCommand({})), 'AccessDenied', 403);
});
await claim('an account without a password says so as AWS does', async () => {
  const e = await refused(IAM(await root('222222222222')).send(new iam.GetLoginProfileCommand({})), 'NoSuchEntityException', 404);
  assert.equal(e.message, 'Login Profile for User null cannot be found.');
});

// ---- IAM under the delete policy
await claim('a delete session deletes a key once, and its readers see it late', async () => {
  const c = IAM(await root(payments, remove));
  const { AccessKeyMetadata: [k] } = await c.send(new iam.ListAccessKeysCommand({}));
  await refused(c.send(new iam.GetAccountSummaryCommand({})), 'AccessDenied', 403);
  await refused(c.send(new iam.UpdateAccessKeyCommand({ AccessKeyId: k.AccessKeyId, Status: 'Inactive' })), 'AccessDenied', 403);
  await c.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: k.AccessKeyId }));
  assert.equal((await c.send(new iam.ListAccessKeysCommand({}))).AccessKeyMetadata.length, 1);
  await refused(c.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: k.AccessKeyId })), 'NoSuchEntityException', 404);
});
await claim('a root user without keys has an empty list', async () => {
  assert.deepEqual((await IAM(await root('222222222222')).send(new iam.ListAccessKeysCommand({}))).AccessKeyMetadata ?? [], []);
});

// ---- IAM as a role and as a root user
await claim('a role must name a user, reads virtual devices and the credential report', async () => {
  const c = IAM(await role(data));
  await refused(c.send(new iam.ListAccessKeysCommand({})), 'ValidationError', 400);
  assert.ok(Array.isArray((await c.send(new iam.ListVirtualMFADevicesCommand({}))).VirtualMFADevices ?? []));
  await refused(c.send(new iam.GetCredentialReportCommand({})), 'CredentialReportNotPresentException', 410);
  assert.equal((await c.send(new iam.GenerateCredentialReportCommand({}))).State, 'STARTED');
  await refused(c.send(new iam.GetCredentialReportCommand({})), 'CredentialReportNotReadyException', 404);
  assert.equal((await c.send(new iam.GenerateCredentialReportCommand({}))).State, 'COMPLETE');
  const report = await c.send(new iam.GetCredentialReportCommand({}));
  assert.equal(new TextDecoder().decode(report.Content).split('\n')[1].split(',').length, 22);
  assert.ok(report.GeneratedTime instanceof Date);
  assert.deepEqual((await c.send(new iam.ListAccountAliasesCommand({}))).AccountAliases, ['acme-data']);
});
await claim('a root key is that root user, and deactivates and deletes another', async () => {
  const c = IAM(lab);
  assert.equal((await STS(lab).send(new sts.GetCallerIdentityCommand({}))).Arn, 'arn:aws:iam::999999999999:root');
  await c.send(new iam.UpdateAccessKeyCommand({ AccessKeyId: other, Status: 'Inactive' }));
  await refused(c.send(new iam.CreateAccessKeyCommand({})), 'LimitExceededException', 409);
  await c.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: other }));
});
await claim('ListOrganizationsFeatures says what is on, and to whom it will not', async () => {
  assert.deepEqual((await IAM().send(new iam.ListOrganizationsFeaturesCommand({}))).EnabledFeatures, ['RootSessions', 'RootCredentialsManagement']);
  await refused(IAM(await role(data)).send(new iam.ListOrganizationsFeaturesCommand({})), 'AccountNotManagementOrDelegatedAdministratorException', 400);
  await refused(IAM(lab).send(new iam.ListOrganizationsFeaturesCommand({})), 'OrganizationNotFoundException', 400);
});
await claim('made-up session tokens are nobody', () => refused(
  IAM({ ...lab, sessionToken: 'x' }).send(new iam.GetUserCommand({})), 'InvalidClientTokenId', 403));

// ---- Organizations
await claim('Organizations pages through its accounts, an empty page among them', async () => {
  let empty = 0;
  const seen = [];
  for await (const p of orgs.paginateListAccounts({ client: Orgs(), pageSize: 20 }, {})) {
    if (p.Accounts.length === 0) empty++;
    seen.push(...p.Accounts);
  }
  assert.ok(empty > 0 && seen.length > 20);
  assert.ok(seen.every((a) => a.State && a.Status === undefined && a.JoinedTimestamp instanceof Date));
  assert.equal(seen.filter((a) => a.State === 'SUSPENDED').length, 1);
});
await claim('it describes the organization, an account, its tags, its place', async () => {
  const c = Orgs();
  const { Organization: o } = await c.send(new orgs.DescribeOrganizationCommand({}));
  assert.equal(o.MasterAccountId, '111111111111');
  assert.equal((await c.send(new orgs.DescribeAccountCommand({ AccountId: payments }))).Account.Name, 'acme-payments');
  assert.equal((await c.send(new orgs.ListTagsForResourceCommand({ ResourceId: payments }))).Tags[0].Key, 'owner');
  const { Roots: [r] } = await c.send(new orgs.ListRootsCommand({}));
  assert.equal(r.PolicyTypes[0].Status, 'ENABLED');
  const { Parents: [p] } = await c.send(new orgs.ListParentsCommand({ ChildId: payments }));
  assert.equal((await c.send(new orgs.DescribeOrganizationalUnitCommand({ OrganizationalUnitId: p.Id }))).OrganizationalUnit.Name, 'Production');
  assert.ok((await c.send(new orgs.ListAccountsForParentCommand({ ParentId: p.Id }))).Accounts.length > 1);
  assert.ok((await c.send(new orgs.ListOrganizationalUnitsForParentCommand({ ParentId: r.Id }))).OrganizationalUnits.length > 1);
  assert.equal((await c.send(new orgs.ListDelegatedAdministratorsCommand({}))).DelegatedAdministrators[0].Id, '222222222222');
  await refused(c.send(new orgs.DescribeAccountCommand({ AccountId: '000000000001' })), 'AccountNotFoundException', 400);
  await refused(Orgs(await role(data)).send(new orgs.ListAccountsCommand({})), 'AccessDeniedException', 400);
  await refused(Orgs(lab).send(new orgs.DescribeOrganizationCommand({})), 'AWSOrganizationsNotInUseException', 400);
});
await claim('the quarantine policy is attached and detached once each', async () => {
  const c = Orgs();
  const pair = { PolicyId: 'p-quarantine', TargetId: data };
  const { Policy } = await c.send(new orgs.DescribePolicyCommand({ PolicyId: 'p-quarantine' }));
  assert.equal(JSON.parse(Policy.Content).Statement[0].Sid, 'DenyRootLongTermCredentials');
  await c.send(new orgs.AttachPolicyCommand(pair));
  await refused(c.send(new orgs.AttachPolicyCommand(pair)), 'DuplicatePolicyAttachmentException', 400);
  const { Policies } = await c.send(new orgs.ListPoliciesForTargetCommand({ TargetId: data, Filter: 'SERVICE_CONTROL_POLICY' }));
  assert.deepEqual(Policies.map((p) => p.Id), ['p-FullAWSAccess', 'p-quarantine']);
  const { Targets } = await c.send(new orgs.ListTargetsForPolicyCommand({ PolicyId: 'p-quarantine' }));
  assert.deepEqual(Targets.map((t) => t.TargetId), [data]);
  const { AccessKeyMetadata: keys } = await IAM(await root(data)).send(new iam.ListAccessKeysCommand({}));
  const active = keys.find((k) => k.Status === 'Active');
  const e = await refused(IAM({ accessKeyId: active.AccessKeyId, secretAccessKey: 'x' }).send(new iam.GetUserCommand({})), 'AccessDenied', 403);
  assert.match(e.message, /with an explicit deny in a service control policy/);
  await c.send(new orgs.DetachPolicyCommand(pair));
  await refused(c.send(new orgs.DetachPolicyCommand(pair)), 'PolicyNotAttachedException', 400);
  const last = await refused(c.send(new orgs.DetachPolicyCommand({ ...pair, PolicyId: 'p-FullAWSAccess' })), 'ConstraintViolationException', 400);
  assert.equal(last.Reason, 'MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED');
  await refused(c.send(new orgs.AttachPolicyCommand({ ...pair, PolicyId: 'p-nosuchpolicy' })), 'PolicyNotFoundException', 400);
});
await claim('a policy without the AssumedRoot exemption also binds a root session', async () => {
  const e = await refused(IAM(await root(tower)).send(new iam.GetAccountSummaryCommand({})), 'AccessDenied', 403);
  assert.match(e.message, /with an explicit deny in a service control policy/);
});

// ---- Account Management
await claim('Account Management knows whom to write to', async () => {
  const c = Account();
  const { AlternateContact: s } = await c.send(new account.GetAlternateContactCommand({ AccountId: '555555555555', AlternateContactType: 'SECURITY' }));
  assert.equal(s.EmailAddress, 'ben.okafor@example.com');
  assert.equal((await c.send(new account.GetPrimaryEmailCommand({ AccountId: '666666666666' }))).PrimaryEmail, 'minjun.kim@example.com');
  assert.ok((await c.send(new account.GetAccountInformationCommand({}))).AccountCreatedDate instanceof Date);
  await refused(c.send(new account.GetAlternateContactCommand({ AccountId: data, AlternateContactType: 'SECURITY' })), 'ResourceNotFoundException', 404);
  await refused(c.send(new account.GetAlternateContactCommand({ AlternateContactType: 'LEGAL' })), 'AccessDeniedException', 403);
  await refused(c.send(new account.GetPrimaryEmailCommand({ AccountId: '111111111111' })), 'AccessDeniedException', 403);
});

// ---- CloudTrail
await claim('CloudTrail shows what the root user did, with whose session it was', async () => {
  await order('sign-in', { account: data });
  const { Events } = await Trail(await role(data)).send(new trail.LookupEventsCommand({
    LookupAttributes: [{ AttributeKey: 'Username', AttributeValue: 'root' }], StartTime: new Date(Date.now() - 86_400_000), EndTime: new Date(Date.now() + 60_000),
  }));
  const records = Events.map((e) => JSON.parse(e.CloudTrailEvent));
  assert.ok(Events[0].EventTime instanceof Date);
  assert.equal(records[0].eventName, 'ConsoleLogin');
  assert.ok(records.some((r) => r.userIdentity.sessionContext?.assumedRoot === 'true'));
});

// ---- Faults and what is not known
await claim('throttling is each service’s own', async () => {
  await order('fault', { kind: 'throttle', times: 1, action: 'AssumeRoot' });
  const e = await refused(root(payments), 'Throttling', 400);
  assert.equal(e.message, 'Rate exceeded');
  await order('fault', { kind: 'throttle', times: 1, action: 'ListRoots' });
  await refused(Orgs().send(new orgs.ListRootsCommand({})), 'TooManyRequestsException', 400);
  await order('fault', { kind: 'throttle', times: 1, action: 'GetPrimaryEmail' });
  await refused(Account().send(new account.GetPrimaryEmailCommand({ AccountId: data })), 'TooManyRequestsException', 429);
});
await claim('rubbish is an error of the client and nothing worse', async () => {
  for (const kind of ['http_500', 'garbage']) {
    await order('fault', { kind, times: 1, action: 'GetCallerIdentity' });
    await assert.rejects(STS().send(new sts.GetCallerIdentityCommand({})));
  }
});
await claim('calls that are not known get the error of their protocol', async () => {
  await refused(IAM().send(new iam.ListSAMLProvidersCommand({})), 'InvalidAction', 400);
  await refused(STS().send(new sts.GetFederationTokenCommand({ Name: 'xx' })), 'InvalidAction', 400);
  await refused(Orgs().send(new orgs.ListHandshakesForAccountCommand({})), 'UnknownOperationException', 400);
  await refused(Account().send(new account.ListRegionsCommand({})), 'UnknownOperationException', 404);
  await refused(Trail().send(new trail.ListTrailsCommand({})), 'UnknownOperationException', 400);
});

console.log(`${held} held, ${failed} failed`);
process.exit(failed ? 1 : 0);
