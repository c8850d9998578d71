package awssim

import (
	"net/http"
	"strings"
)

// This file holds what a root user signs in with: the password, MFA devices and signing certificates.

func noLoginProfile() error {
	return errNoSuchEntity("Login Profile for User null cannot be found.")
}

func getLoginProfile(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if !a.root.password {
			return nil, noLoginProfile()
		}
		return []element{group("LoginProfile", moment("CreateDate", a.root.passwordChanged), truth("PasswordResetRequired", false))}, nil
	})
}

// createLoginProfile lets a member's root user back in: under AssumeRoot it sends a password to nobody, it allows the
// recovery of one.
func createLoginProfile(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if a.root.password {
			return nil, fail("EntityAlreadyExists", http.StatusConflict, "Login Profile for User null already exists.")
		}
		a.root.password, a.root.passwordChanged = true, c.o.now()
		c.effect = true
		return []element{group("LoginProfile", moment("CreateDate", c.o.now()), truth("PasswordResetRequired", false))}, nil
	})
}

func deleteLoginProfile(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if !a.root.password {
			return nil, noLoginProfile()
		}
		a.root.password = false
		c.effect = true
		return nil, nil
	})
}

func listMFADevices(c *call) ([]element, error) {
	none := []element{list("MFADevices"), truth("IsTruncated", false)}
	return about(c, none, func(a *account) ([]element, error) {
		var items [][]element
		for _, d := range a.root.devices {
			items = append(items, []element{text("SerialNumber", d.serial), moment("EnableDate", d.enabled)})
		}
		return []element{list("MFADevices", items...), truth("IsTruncated", false)}, nil
	})
}

// listVirtualMFADevices lists the devices of everybody in the account, so that a client has to tell the root user's by
// the owner's ARN: an ordinary user may be called "rootless".
func listVirtualMFADevices(c *call) ([]element, error) {
	status := c.str("AssignmentStatus")
	var items [][]element
	a := c.account
	if status != "Unassigned" {
		for _, d := range a.root.devices {
			if d.kind() == "virtual" {
				items = append(items, []element{
					text("SerialNumber", d.serial), moment("EnableDate", d.enabled),
					group("User", text("Path", "/"), text("UserId", a.id), text("Arn", a.rootARN()), moment("CreateDate", a.created)),
				})
			}
		}
		if a.user != "" {
			items = append(items, []element{
				text("SerialNumber", "arn:aws:iam::"+a.id+":mfa/root-account-mfa-device"), moment("EnableDate", a.created),
				group("User", text("Path", "/"), text("UserName", a.user), text("UserId", "AIDAQQQQ"+a.id),
					text("Arn", "arn:aws:iam::"+a.id+":user/"+a.user), moment("CreateDate", a.created)),
			})
		}
	}
	return []element{list("VirtualMFADevices", items...), truth("IsTruncated", false)}, nil
}

func noDevice(c *call) error {
	return errNoSuchEntity("MFA Device with serial number %s does not exist.", c.str("SerialNumber"))
}

func getMFADevice(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		for _, d := range a.root.devices {
			if d.serial == c.str("SerialNumber") && d.kind() == "passkey" {
				return []element{text("SerialNumber", d.serial), moment("EnableDate", d.enabled)}, nil
			}
		}
		return nil, noDevice(c)
	})
}

func deactivateMFADevice(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if !remove(&a.root.devices, func(d device) bool { return d.serial == c.str("SerialNumber") }) {
			return nil, noDevice(c)
		}
		c.effect = true
		return nil, nil
	})
}

// deleteVirtualMFADevice finds nothing to delete: a deactivated device is gone here, and an active one is in the way.
func deleteVirtualMFADevice(c *call) ([]element, error) {
	for _, d := range c.account.root.devices {
		if d.serial == c.str("SerialNumber") && strings.Contains(d.serial, ":mfa/") {
			return nil, fail("DeleteConflict", http.StatusConflict, "MFA VirtualDevice is in use. Must deactivate first.")
		}
	}
	return nil, noDevice(c)
}

func listSigningCertificates(c *call) ([]element, error) {
	none := []element{list("Certificates"), truth("IsTruncated", false)}
	return about(c, none, func(a *account) ([]element, error) {
		var items [][]element
		for _, x := range a.root.certificates {
			items = append(items, []element{
				text("CertificateId", x.id), text("CertificateBody", "-----BEGIN CERTIFICATE-----\nMADEUP\n-----END CERTIFICATE-----"),
				text("Status", statusActive), moment("UploadDate", x.uploaded),
			})
		}
		return []element{list("Certificates", items...), truth("IsTruncated", false)}, nil
	})
}

func deleteSigningCertificate(c *call) ([]element, error) {
	return about(c, nil, func(a *account) ([]element, error) {
		if !remove(&a.root.certificates, func(x certificate) bool { return x.id == c.str("CertificateId") }) {
			return nil, errNoSuchEntity("The Signing Certificate with id %s cannot be found.", c.str("CertificateId"))
		}
		c.effect = true
		return nil, nil
	})
}
