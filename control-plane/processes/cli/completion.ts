import { type Command, defineCommand } from "./cli-command.ts";

/** Flags that every command has. */
const EVERYWHERE = ["--output", "--help"];

/**
 * The script that makes a shell complete commands, flags and their choices. It completes the word `dynamo`, which the person makes an
 * alias of whatever way the command line is called.
 */
function script(shell: "bash" | "zsh", commands: readonly Command[]): string {
  const cases = commands.flatMap((command) => {
    const flags = [...Object.keys(command.flags).map((name) => `--${name}`), ...EVERYWHERE];
    const choices = Object.entries(command.flags).flatMap(([name, flag]) =>
      // Where nothing is known of the value the shell offers files.
      flag.value === undefined ? [] : [`    "${command.name} --${name}") words="${(flag.choices ?? []).join(" ")}";;`],
    );
    return [...choices, `    "${command.name}") words="${flags.join(" ")}";;`];
  });
  // Words of every prefix: nothing → groups, a group → its commands.
  const groups = new Map<string, Set<string>>();
  for (const { name } of commands)
    name.split(" ").reduce((prefix, word) => {
      groups.set(prefix, (groups.get(prefix) ?? new Set()).add(word));
      return prefix === "" ? word : `${prefix} ${word}`;
    }, "");
  const prefixes = [...groups].map(([prefix, words]) => `    "${prefix}") words="${[...words].join(" ")}";;`);
  const body = `_dynamo() {
  local name="" word words="" last="" count=0
  # What stands before the cursor: words of the command, then flags.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    last="$word"
    case "$word" in
      -*) count=1;;
      *) [ "$count" = 0 ] && name="\${name:+$name }$word";;
    esac
  done
  case "$last" in
    --output|-o) words="table json"; COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")); return;;
    -*) name="$name $last";;
  esac
  case "$name" in
${cases.join("\n")}
${prefixes.join("\n")}
    *) name="\${name% -*}"; case "$name" in
${cases.filter((line) => !/ --[a-z-]+"\)/.test(line)).join("\n")}
    esac;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _dynamo dynamo
`;
  return shell === "bash" ? body : `autoload -U +X bashcompinit && bashcompinit\n${body}`;
}

/** @param commands all others; these two know themselves as well. */
export function completionCommands(commands: readonly Command[]): Command[] {
  const made: Command[] = [];
  for (const shell of ["bash", "zsh"] as const)
    made.push(
      defineCommand({
        name: `completion ${shell}`,
        summary: `Prints a script that makes ${shell} complete commands and flags, for the word \`dynamo\`.`,
        more: `In your ~/.${shell}rc: alias dynamo='npm run -s cli --' and source <(dynamo completion ${shell}).`,
        flags: {},
        examples: [`completion ${shell}`],
        reads: true,
        prefersTable: true,
        async run(_, io) {
          io.write(script(shell, [...commands, ...made]));
        },
      }),
    );
  return made;
}
