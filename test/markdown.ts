/** What the tests of the documentation read out of a page. */

/** From a heading, such as `## Tasks`, to the next one that is not below it. */
export function section(page: string, heading: string): string {
  const lines = page.split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) throw new Error(`there is no heading “${heading}”`)
  const level = heading.indexOf(' ')
  const end = lines.findIndex((line, i) => i > start && /^#+ /.test(line) && line.indexOf(' ') <= level)
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n')
}

/** The rows of all tables whose first cell is one piece of code: that without its backticks, then the other cells. */
export function rows(text: string): string[][] {
  return Array.from(text.matchAll(/^\| (.*) \|$/gm), ([, row = '']) => row.split(/ (?<!\\)\| /))
    .filter(([first]) => first !== undefined && /^`[^`]+`$/.test(first))
    .map(([first = '', ...rest]) => [first.slice(1, -1), ...rest])
}

/** The first cells of those rows. */
export function keys(text: string): string[] {
  return rows(text).map(([first = '']) => first)
}

/** What stands below each heading that is one piece of code, by that code. */
export function codeHeadings(page: string): Map<string, string> {
  const headings = page.match(/^#+ `[^`]+`$/gm) ?? []
  return new Map(headings.map((heading) => [heading.replace(/^#+ `|`$/g, ''), section(page, heading).trim()]))
}

/** The contents of the fenced blocks in a language. */
export function fences(page: string, language: string): string[] {
  return Array.from(page.matchAll(/^```(.*)\n([^]*?)^```$/gm))
    .filter(([, found]) => found === language)
    .map(([, , content = '']) => content)
}

/** Targets of links, outside of code. */
export function links(page: string): string[] {
  const prose = page.replaceAll(/^```[^]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
}

/** The names under which a page's headings can be linked to, as GitHub makes them. */
export function anchors(page: string): string[] {
  return Array.from(page.matchAll(/^#+ (.*)$/gm), ([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
