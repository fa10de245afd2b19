import { expect, test } from "vitest";
import { renderMail, type MailContent } from "./templates.ts";

const handover = (projectName: string): MailContent => ({
  template: "handover_completed",
  data: {
    project_id: "proj_01hx5t6u7v8w",
    project_name: projectName,
    site_address: "London",
    installer_name: "Олександр",
    installer_company: "Acme & Sons",
    site_contact_name: "محمد علي",
    handed_over_at: "2026-05-01T14:45:00Z",
    charge_point_count: 4,
    warnings: ["6 charge points were expected."],
  },
  secretData: { certificate_url: "https://api.example.org/certificates/proj_01hx5t6u7v8w.pdf?token=a&b" },
});

test("a name in any script stands in subject, text and HTML as it is", () => {
  const mail = renderMail(handover("Riverside Business Park — Phase 1, 田中"));
  for (const part of [mail.subject, mail.text, mail.html])
    expect(part).toContain("Riverside Business Park — Phase 1, 田中");
  expect(mail.text).toContain("محمد علي");
  expect(mail.certificateOf).toBe("proj_01hx5t6u7v8w");
});

test("[E15] the subject is one line, whatever the name holds", () => {
  const { subject } = renderMail(handover("A\r\nBcc: victim@example.org\u2028B\u0085C"));
  expect(subject).toBe("Handover completed: A Bcc: victim@example.org B C");
  expect(renderMail(handover("=?utf-8?q?=0d=0aBcc:victim@example.org?=")).subject).not.toContain("=?");
});

test("[E14] [E15] markup in a name is text in the HTML", () => {
  const { html } = renderMail(handover(`<img src=x onerror=alert(1)>"'&`));
  expect(html).not.toContain("<img");
  expect(html).toContain("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;");
  expect(html).toContain("Acme &#38; Sons");
  expect(html).toContain("token=a&#38;b");
});

test("the link of a mail is in both its bodies", () => {
  const mail = renderMail({
    template: "verify_email",
    data: { full_name: "Alex", company: "Acme & Sons", expires_at: "2026-05-02T10:00:00Z" },
    secretData: { url: "https://api.example.org/v?token=abc" },
  });
  expect(mail.text).toContain("https://api.example.org/v?token=abc");
  expect(mail.html).toContain('href="https://api.example.org/v?token=abc"');
  expect(mail.text).toContain("2026-05-02 10:00 UTC");
  // Whoever gets it must be able to tell that it is not their own sign-up.
  expect(mail.text).toContain("Acme & Sons");
});
