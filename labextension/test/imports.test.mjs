// @vitest-environment node
// Tests the imports between the source files: no cycle, not even one of types or of lazy imports.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../src/', import.meta.url));
const names = readdirSync(root, { recursive: true }).filter((name) => /(?<!\.d)\.ts$/.test(name));

/** The files that a source file imports, with `import type`, `export … from` and `import()`. */
function importsOf(name) {
  const text = readFileSync(join(root, name), 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, each]) => each);
  return specifiers
    .map((each) => `${join(dirname(name), each)}.ts`)
    .filter((each) => names.includes(each));
}

/** The first cycle in a graph, as a path that ends where it begins; `null` when there is none. */
function findCycle(graph) {
  const finished = new Set();
  const visit = (name, path) => {
    if (path.includes(name)) {
      return [...path.slice(path.indexOf(name)), name];
    }
    if (finished.has(name)) {
      return null;
    }
    for (const next of graph[name] ?? []) {
      const cycle = visit(next, [...path, name]);
      if (cycle !== null) {
        return cycle;
      }
    }
    finished.add(name);
    return null;
  };
  return Object.keys(graph).reduce((found, name) => found ?? visit(name, []), null);
}

describe('the imports', () => {
  it('have no cycle', () => {
    expect(findCycle(Object.fromEntries(names.map((name) => [name, importsOf(name)])))).toBeNull();
  });

  it('would report a cycle', () => {
    expect(findCycle({ a: ['b'], b: ['c'], c: ['b'] })).toEqual(['b', 'c', 'b']);
  });

  it('at the start are of packages that Voilà has, too', () => {
    // Voilà 0.5 shares these; an extension that imports another one is an error in its console.
    const shared = [
      ...['application', 'apputils', 'coreutils', 'services', 'settingregistry'],
      ...['translation', 'ui-components'],
    ];
    const values = /^import (?!type)(?:[^;]*?)from '@jupyterlab\/([\w-]+)/gm;
    const imported = names.flatMap((name) =>
      [...readFileSync(join(root, name), 'utf8').matchAll(values)].map(([, each]) => each),
    );
    expect(imported).toContain('settingregistry');
    expect(imported.filter((each) => !shared.includes(each))).toEqual([]);
  });

  it('of the countdown stay inside its folder', () => {
    const own = names.filter((name) => name.startsWith('countdown/'));
    expect(own.length).toBeGreaterThan(5);
    expect(own.flatMap(importsOf).filter((each) => !each.startsWith('countdown/'))).toEqual([]);
  });
});
