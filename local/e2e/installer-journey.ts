import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { rest } from "./rest-client.ts";

export interface Mail {
  id: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
  attachments: { filename: string; content_type: string; size: number; url: string }[];
}

/** Mails that went to this address, newest first. */
export async function mailsTo(cluster: Cluster, address: string): Promise<Mail[]> {
  const { body } = await rest("GET", `${cluster.mailUrl}/api/messages`, undefined);
  return (body["messages"] as Mail[]).filter((mail) => mail.to.includes(address));
}

/** The link in the newest mail to this address whose URL contains `part`. */
export async function linkTo(cluster: Cluster, address: string, part: string): Promise<string> {
  return eventually(`a mail to ${address} with a link to ${part}`, async () => {
    const links = (await mailsTo(cluster, address)).flatMap((mail) => mail.text.match(/https?:\/\/\S+/g) ?? []);
    return links.find((link) => link.includes(part));
  });
}

export async function createProject(cluster: Cluster, project: Record<string, unknown>): Promise<string> {
  const { status, body } = await rest("POST", `${cluster.apiUrl}/api/v1/projects`, cluster.apiKey, project);
  if (status !== 201) throw new Error(`project: ${status} ${JSON.stringify(body)}`);
  return String(body["project_id"]);
}

export async function assignInstaller(cluster: Cluster, projectId: string, installerId: string): Promise<void> {
  const url = `${cluster.apiUrl}/api/v1/projects/${projectId}/installers`;
  const { status, body } = await rest("POST", url, cluster.apiKey, { installer_id: installerId });
  if (status !== 201) throw new Error(`assignment: ${status} ${JSON.stringify(body)}`);
}

/** An installer who is signed up, verified, assigned to a new project and logged in. */
export async function readyInstaller(cluster: Cluster, email: string): Promise<{ token: string; projectId: string }> {
  const installer = `${cluster.apiUrl}/api/v1/installer`;
  const account = {
    email,
    password: "your-secure-password",
    full_name: "Alex Technician",
    phone: "+447700900123",
    company: "Acme EV Installations",
  };
  const signup = await rest("POST", `${installer}/signup`, undefined, account);
  const token = new URL(await linkTo(cluster, email, "verify-email")).searchParams.get("token");
  await rest("POST", `${installer}/verify-email`, undefined, { token });
  const projectId = await createProject(cluster, {
    name: "Riverside",
    site_address: "Unit 12, London",
    charge_points_expected: 1,
  });
  await assignInstaller(cluster, projectId, String(signup.body["installer_id"]));
  const login = await rest("POST", `${installer}/login`, undefined, { email, password: account.password });
  if (login.status !== 200) throw new Error(`login: ${login.status} ${JSON.stringify(login.body)}`);
  return { token: String(login.body["access_token"]), projectId };
}
