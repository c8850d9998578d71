package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/sim/awssim"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// settings is the file that the demo's bot is started with: what an operator would write, with the simulators' ids.
const settings = `# The demo's settings. See README.md for what each one means.
channel: %[1]s
approvers: {users: [%[2]s], groups: [%[3]s]}
requesters: {users: [%[4]s, %[2]s, %[5]s]}
watch: 168h
schedules: {timezone: Asia/Seoul, check: "0 * * * *", digest: "0 9 * * *", remind: "0 10 * * *"}
aws:
  - name: acme
    organization:
      delete: {}
      quarantine: {policy_id: %[6]s, except: ["%[7]s"]}
  - name: lab
    account: {profile: lab-readonly, root_profile: lab-root}
scan: {concurrency: 16, assume_root_rate: %[8]g}
`

// profiles are AWS profiles of the account that is outside the organization: one that looks, and its root user.
const profiles = `[lab-readonly]
aws_access_key_id = %s
aws_secret_access_key = %s
[lab-root]
aws_access_key_id = %s
aws_secret_access_key = %s
`

// configure writes the settings and the profiles into a folder of the demo's own, and clears the process's environment of
// everything that could lead anywhere else. The made-up administrator's key is unknown to the simulator, which takes it
// for the management account's.
func configure(dir, base string, throttle float64) (app.Config, error) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SLACK_") || strings.HasPrefix(name, "ROOTCHECK_") ||
			strings.HasSuffix(strings.ToLower(name), "_proxy") {
			if err := os.Unsetenv(name); err != nil {
				return app.Config{}, fmt.Errorf("clear the environment: %w", err)
			}
		}
	}
	credentials := filepath.Join(dir, "credentials")
	//nolint:gosec // made up: the simulator takes any key that it did not mint for an administrator's
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": base + "/aws/", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIADEMODEMODEMODEMO",
		"AWS_SECRET_ACCESS_KEY": "made-up-for-the-demo", "AWS_SHARED_CREDENTIALS_FILE": credentials,
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return app.Config{}, fmt.Errorf("set %s: %w", name, err)
		}
	}
	rate := 200.0
	if throttle > 0 {
		rate = throttle * 0.95
	}
	file := filepath.Join(dir, "rootcheck.yaml")
	text := fmt.Sprintf(settings, slacksim.ChannelRoot, slacksim.UserBen, slacksim.GroupApprovers, slacksim.UserAna,
		slacksim.UserCho, awssim.QuarantinePolicyID, awssim.DataAccount, rate)
	lab := fmt.Sprintf(profiles, awssim.LabReadOnlyKeyID, awssim.LabReadOnlySecretKey, awssim.LabAccessKeyID, awssim.LabSecretAccessKey)
	for name, content := range map[string]string{file: text, credentials: lab, filepath.Join(dir, "config"): ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return app.Config{}, fmt.Errorf("write the demo's settings: %w", err)
		}
	}
	env := map[string]string{ //nolint:gosec // made up, as is the workspace
		"SLACK_BOT_TOKEN": "xoxb-demo", "SLACK_APP_TOKEN": "xapp-demo", "SLACK_API_URL": base + "/slack/api/",
		"ROOTCHECK_DATABASE": filepath.Join(dir, "rootcheck.db"),
	}
	c, err := app.Load(file, func(name string) string { return env[name] })
	if err != nil {
		return c, err
	}
	return c, c.Validate(true)
}
