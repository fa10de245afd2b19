/** Text for an HTML element or a quoted attribute. */
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** A small page around `blocks`, which must be escaped already. It loads nothing: no scripts, no images, no fonts. */
export const htmlPage = (title: string, blocks: readonly string[]) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
th { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0; font-weight: 600; white-space: nowrap; }
td { padding: .25rem 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
${blocks.join("\n")}
</body>
</html>
`;
