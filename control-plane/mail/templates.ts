import { htmlPage, escapeHtml } from "./html-page.ts";

/** What mails with a link to an account say of it: enough to tell one's own sign-up from somebody else's. */
interface LinkMailData {
  full_name: string;
  company: string;
  expires_at: string;
}

/**
 * What each mail is made of. `data` lies in the row as it is; `secretData` (links with tokens) lies there sealed.
 * Times are ISO 8601 UTC.
 */
export type MailContent =
  | { template: "verify_email"; data: LinkMailData; secretData: { url: string } }
  | { template: "reset_password"; data: LinkMailData; secretData: { url: string } }
  | { template: "account_exists"; data: { full_name: string; installer_id: string }; secretData?: undefined }
  | {
      template: "installer_assigned";
      data: {
        full_name: string;
        organization_name: string;
        project_id: string;
        project_name: string;
        site_address: string;
      };
      secretData?: undefined;
    }
  | {
      /** The certificate of `project_id` is attached. */
      template: "handover_completed";
      data: {
        project_id: string;
        project_name: string;
        site_address: string;
        installer_name: string;
        installer_company: string;
        site_contact_name: string;
        handed_over_at: string;
        charge_point_count: number;
        warnings: string[];
      };
      secretData: { certificate_url: string };
    }
  | {
      template: "webhook_disabled";
      data: { organization_name: string; endpoint_id: string; url: string; reason: string };
      secretData?: undefined;
    };

export interface RenderedMail {
  subject: string;
  text: string;
  html: string;
  /** Whose certificate is attached. */
  certificateOf?: string;
}

interface Parts {
  subject: string;
  paragraphs: string[];
  link?: { label: string; url: string };
  facts?: [name: string, value: string][];
  certificateOf?: string;
}

/**
 * The mail's subject and both bodies. Values are people's texts in any script: the plain text carries them as they are, the
 * HTML escapes them. The subject is one line whatever a name holds (control characters and line separators become spaces).
 */
export function renderMail(content: MailContent): RenderedMail {
  const parts = partsOf(content);
  // Mail programs would decode what a name disguises as an encoded word (RFC 2047), line breaks included.
  const subject = singleLine(parts.subject).replaceAll("=?", "= ?");
  const facts = parts.facts ?? [];
  const text = [
    ...parts.paragraphs,
    ...(facts.length > 0 ? [facts.map(([name, value]) => `${name}: ${singleLine(value)}`).join("\n")] : []),
    ...(parts.link === undefined ? [] : [`${parts.link.label}:\n${parts.link.url}`]),
  ].join("\n\n");
  const html = htmlPage(subject, [
    ...parts.paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`),
    ...(facts.length > 0
      ? [
          `<table>${facts.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td dir="auto">${escapeHtml(value)}</td></tr>`).join("")}</table>`,
        ]
      : []),
    ...(parts.link === undefined
      ? []
      : [`<p><a href="${escapeHtml(parts.link.url)}">${escapeHtml(parts.link.label)}</a></p>`]),
  ]);
  return {
    subject,
    text: `${text}\n`,
    html,
    ...(parts.certificateOf === undefined ? {} : { certificateOf: parts.certificateOf }),
  };
}

function partsOf(content: MailContent): Parts {
  switch (content.template) {
    case "verify_email":
      return {
        subject: "Verify your e-mail address for Dynamo CSMS",
        paragraphs: [
          `Hello ${content.data.full_name},`,
          "open the link below to activate your installer account. You can log in right afterwards.",
          `The link works until ${readableTime(content.data.expires_at)}. If this is not your sign-up, do not open it: it would activate an account that somebody else made with your address.`,
        ],
        facts: [
          ["Name", content.data.full_name],
          ["Company", content.data.company],
        ],
        link: { label: "Verify my e-mail address", url: content.secretData.url },
      };
    case "reset_password":
      return {
        subject: "Set a new password for Dynamo CSMS",
        paragraphs: [
          `Hello ${content.data.full_name},`,
          "somebody asked for a new password for your installer account. Open the link below to set one.",
          `The link works once, until ${readableTime(content.data.expires_at)}. If it was not you, ignore this mail: your password stays as it is.`,
        ],
        link: { label: "Set a new password", url: content.secretData.url },
      };
    case "account_exists":
      return {
        subject: "You have a Dynamo CSMS account already",
        paragraphs: [
          `Hello ${content.data.full_name},`,
          "somebody signed up with this e-mail address, which has an installer account. That account stays as it is: log in with its password, or ask for a new one with POST /api/v1/installer/forgot-password.",
          "If it was not you, nothing needs to be done.",
        ],
        facts: [["Installer id", content.data.installer_id]],
      };
    case "installer_assigned":
      return {
        subject: `You were assigned to ${content.data.project_name}`,
        paragraphs: [
          `Hello ${content.data.full_name},`,
          `${content.data.organization_name} assigned you to a project. You can register and commission its charge points now.`,
        ],
        facts: [
          ["Project", content.data.project_name],
          ["Project id", content.data.project_id],
          ["Site", content.data.site_address],
        ],
      };
    case "handover_completed": {
      const { data } = content;
      return {
        subject: `Handover completed: ${data.project_name}`,
        paragraphs: [
          `The project was handed over to the site owner. The signed certificate is attached.`,
          ...data.warnings.map((warning) => `Please note: ${warning}`),
        ],
        facts: [
          ["Project", data.project_name],
          ["Site", data.site_address],
          ["Charge points", String(data.charge_point_count)],
          ["Installer", `${data.installer_name}, ${data.installer_company}`],
          ["Site contact", data.site_contact_name],
          ["Handed over", readableTime(data.handed_over_at)],
        ],
        link: { label: "Download the certificate", url: content.secretData.certificate_url },
        certificateOf: data.project_id,
      };
    }
    case "webhook_disabled":
      return {
        subject: "A webhook endpoint was disabled",
        paragraphs: [
          `A webhook endpoint of ${content.data.organization_name} was disabled: ${content.data.reason}.`,
          "Events are no longer sent to it. When it works again, set its status to active with PATCH /api/v1/webhooks/endpoints/{endpoint_id}; deliveries that failed can be retried one by one.",
        ],
        facts: [
          ["Endpoint", content.data.endpoint_id],
          ["URL", content.data.url],
        ],
      };
  }
}

/** `2026-05-01T14:45:00.000Z` → `2026-05-01 14:45 UTC`. */
const readableTime = (iso: string) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;

/** A header is one line: what could begin another becomes a space. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const singleLine = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
