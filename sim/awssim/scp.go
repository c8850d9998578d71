package awssim

import (
	"fmt"
	"slices"
	"strings"
)

const scpType = "SERVICE_CONTROL_POLICY"

// Limits of service control policies
// (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
const (
	policiesPerTarget = 10
	policySize        = 10_240
)

func policyOperations() map[string]operation {
	return map[string]operation{
		"ListPolicies":          {json: governing(listPolicies)},
		"ListPoliciesForTarget": {json: governing(listPoliciesForTarget)},
		"ListTargetsForPolicy":  {json: governing(listTargetsForPolicy)},
		"DescribePolicy":        {json: governing(describePolicy)},
		"CreatePolicy":          {json: governing(createPolicy)},
		"UpdatePolicy":          {json: governing(updatePolicy)},
		"AttachPolicy":          {json: governing(attachPolicy)},
		"DetachPolicy":          {json: governing(detachPolicy)},
	}
}

func (p *policy) summary() fields {
	return fields{"Id": p.id, "Arn": p.arn(), "Name": p.name, "Description": p.description, "Type": scpType, "AwsManaged": p.managed}
}

// filtered holds the filter that two lists require. Other types of policies exist in AWS and have no policies here.
func (c *call) filtered() (bool, error) {
	switch f := c.str("Filter"); f {
	case scpType:
		return true, nil
	case "":
		return false, errInput("INPUT_REQUIRED", "You must include a value for Filter.")
	default:
		return false, nil
	}
}

func listPolicies(c *call) (fields, error) {
	scp, err := c.filtered()
	if err != nil {
		return nil, err
	}
	ids := c.o.policyIDs
	if !scp {
		ids = nil
	}
	return listing(c, "Policies", ids, func(id string) fields { return c.o.policies[id].summary() })
}

func listPoliciesForTarget(c *call) (fields, error) {
	scp, err := c.filtered()
	if err != nil {
		return nil, err
	}
	ids, err := c.attachments()
	if err != nil {
		return nil, err
	}
	if !scp {
		return paged("Policies", []fields{}, ""), nil
	}
	return listing(c, "Policies", *ids, func(id string) fields { return c.o.policies[id].summary() })
}

// attachments are the policies attached to the target that a call names.
func (c *call) attachments() (*[]string, error) {
	id := c.str("TargetId")
	if id == "" {
		return nil, errInput("INPUT_REQUIRED", "You must include a value for TargetId.")
	}
	if ids, ok := c.o.attached(id); ok {
		return ids, nil
	}
	return nil, orgFailure("TargetNotFoundException", "You specified a target that doesn't exist.")
}

func (o *Organization) attached(target string) (*[]string, bool) {
	if a, ok := o.accounts[target]; ok && a.member {
		return &a.policies, true
	}
	if u, ok := o.units[target]; ok {
		return &u.policies, true
	}
	return nil, false
}

func (c *call) policyNamed() (*policy, error) {
	p, ok := c.o.policies[c.str("PolicyId")]
	if !ok {
		return nil, orgFailure("PolicyNotFoundException", "You specified a policy that doesn't exist.")
	}
	return p, nil
}

func listTargetsForPolicy(c *call) (fields, error) {
	p, err := c.policyNamed()
	if err != nil {
		return nil, err
	}
	return listing(c, "Targets", p.targets, func(id string) fields {
		if a, ok := c.o.accounts[id]; ok {
			return fields{"TargetId": id, "Arn": a.arn(), "Name": a.name, "Type": "ACCOUNT"}
		}
		u, kind := c.o.units[id], "ORGANIZATIONAL_UNIT"
		if u.parent == nil {
			kind = "ROOT"
		}
		return fields{"TargetId": id, "Arn": u.arn(), "Name": u.name, "Type": kind}
	})
}

func describePolicy(c *call) (fields, error) {
	p, err := c.policyNamed()
	if err != nil {
		return nil, err
	}
	return fields{"Policy": fields{"PolicySummary": p.summary(), "Content": p.content}}, nil
}

// readContent is the document of a policy that a call brings.
func (c *call) readContent() (document, error) {
	content := c.str("Content")
	if len(content) > policySize {
		return document{}, errConstraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the size limit for service control policies.")
	}
	d, err := parseDocument(content)
	if err != nil {
		return document{}, orgFailure("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements of the specified policy type.")
	}
	return d, nil
}

func errConstraint(reason, message string) error {
	f := asFailure(orgFailure("ConstraintViolationException", message))
	f.reason = reason
	return f
}

func createPolicy(c *call) (fields, error) {
	if c.str("Type") != scpType {
		return nil, orgFailure("PolicyTypeNotAvailableForOrganizationException", "You can't use the specified policy type with the feature set currently enabled for this organization.")
	}
	if c.str("Name") == "" {
		return nil, errInput("INPUT_REQUIRED", "You must include a value for Name.")
	}
	for _, id := range c.o.policyIDs {
		if c.o.policies[id].name == c.str("Name") {
			return nil, orgFailure("DuplicatePolicyException", "A policy with the same name already exists.")
		}
	}
	d, err := c.readContent()
	if err != nil {
		return nil, err
	}
	p := &policy{
		id: fmt.Sprintf("p-%s%06d", strings.ToLower(c.o.mintID("", "000000000000"))[:6], len(c.o.policyIDs)), name: c.str("Name"),
		description: c.str("Description"), content: c.str("Content"), document: d,
	}
	c.o.addPolicy(p)
	c.effect = true
	return fields{"Policy": fields{"PolicySummary": p.summary(), "Content": p.content}}, nil
}

func (o *Organization) addPolicy(p *policy) {
	o.policies[p.id] = p
	o.policyIDs = append(o.policyIDs, p.id)
}

func updatePolicy(c *call) (fields, error) {
	p, err := c.policyNamed()
	if err != nil {
		return nil, err
	}
	if p.managed {
		return nil, errInput("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
	}
	if c.str("Content") != "" {
		d, err := c.readContent()
		if err != nil {
			return nil, err
		}
		p.content, p.document = c.str("Content"), d
	}
	if c.str("Name") != "" {
		p.name = c.str("Name")
	}
	c.effect = true
	return fields{"Policy": fields{"PolicySummary": p.summary(), "Content": p.content}}, nil
}

func attachPolicy(c *call) (fields, error) {
	p, err := c.policyNamed()
	if err != nil {
		return nil, err
	}
	ids, err := c.attachments()
	if err != nil {
		return nil, err
	}
	switch {
	case !c.o.scps:
		return nil, orgFailure("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types.")
	case slices.Contains(*ids, p.id):
		return nil, orgFailure("DuplicatePolicyAttachmentException", "A policy with the specified name and type already exists.")
	case len(*ids) >= policiesPerTarget:
		return nil, errConstraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You have attached the maximum number of policies of this type to the target.")
	}
	c.o.attach(c.str("TargetId"), ids, p)
	c.effect = true
	return nil, nil
}

func detachPolicy(c *call) (fields, error) {
	p, err := c.policyNamed()
	if err != nil {
		return nil, err
	}
	ids, err := c.attachments()
	if err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(*ids, p.id):
		return nil, orgFailure("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root.")
	case len(*ids) == 1:
		return nil, errConstraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You must have at least one policy of this type attached to the target.")
	}
	c.o.detach(c.str("TargetId"), ids, p)
	c.effect = true
	return nil, nil
}

func (o *Organization) attach(target string, ids *[]string, p *policy) {
	*ids = append(*ids, p.id)
	p.targets = append(p.targets, target)
}

func (o *Organization) detach(target string, ids *[]string, p *policy) {
	remove(ids, func(id string) bool { return id == p.id })
	remove(&p.targets, func(id string) bool { return id == target })
}
