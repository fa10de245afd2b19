import type { StoredMail } from "./mail-store.ts";

const STYLE = `
  body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; color: #1c2430; background: #fff }
  a { color: #0b57d0 } h1 { font-size: 1.3rem } .none { color: #667 }
  table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .45rem .6rem; border-bottom: 1px solid #dde2ea; vertical-align: top }
  th { font-weight: 600; color: #556 } iframe { width: 100%; height: 32rem; border: 1px solid #dde2ea; background: #fff }
  pre { white-space: pre-wrap; background: #f6f8fb; padding: 1rem }`;

/** The list of mails, newest first. */
export function listPage(mails: StoredMail[]): string {
  const rows = mails.map(
    (
      mail,
    ) => `<tr><td>${escape(mail.received_at.slice(0, 19).replace("T", " "))}</td><td>${mail.to.map(escape).join("<br>")}</td>
      <td><a href="/messages/${escape(mail.id)}">${escape(mail.subject || "(no subject)")}</a></td><td>${mail.attachments.length || ""}</td></tr>`,
  );
  const table = `<table><tr><th>received (UTC)</th><th>to</th><th>subject</th><th>files</th></tr>${rows.join("")}</table>`;
  return page(
    "Mails",
    mails.length === 0
      ? `<p class="none">No mail yet. What the stack sends arrives here and goes no further.</p>`
      : table,
  );
}

/** One mail. Its HTML is shown without scripts, forms and access to this page; its links open a new tab. */
export function mailPage(mail: StoredMail): string {
  const files = mail.attachments.map(
    (file) =>
      `<li><a href="${escape(new URL(file.url).pathname)}">${escape(file.filename)}</a> (${escape(file.content_type)}, ${file.size} bytes)</li>`,
  );
  const html =
    mail.html &&
    `<iframe title="the mail's HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="${escape(`<base target="_blank">${mail.html}`)}"></iframe>`;
  return page(
    mail.subject || "(no subject)",
    `<p><a href="/">all mails</a></p>
     <p>from ${escape(mail.from)}<br>to ${mail.to.map(escape).join(", ")}<br>${escape(mail.received_at)}</p>
     ${files.length > 0 ? `<ul>${files.join("")}</ul>` : ""}${html}<h2>Text</h2><pre>${escape(mail.text)}</pre>`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${STYLE}</style><h1>${escape(title)}</h1>${body}</html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
