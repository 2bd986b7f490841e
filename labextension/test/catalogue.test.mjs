// @vitest-environment node
// Tests that the Chinese catalogue has the texts of the sources and of the settings.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const at = (path) => new URL(path, import.meta.url);
const catalogue = JSON.parse(
  readFileSync(at('../../modelarts_magics/locale/zh_CN/LC_MESSAGES/modelarts_magics.json'), 'utf8'),
);
const source = readdirSync(at('../src/'), { recursive: true })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(at(`../src/${name}`), 'utf8'))
  .join('\n');
const spoken = [...source.matchAll(/trans\.(?:__|_n)\(\s*'([^']+)'/g)].map(([, words]) => words);
const schema = ['manager', 'commands']
  .map((name) => readFileSync(at(`../schema/${name}.json`), 'utf8'))
  .join('\n');
const written = [...schema.matchAll(/"(?:title|description)": "([^"]+)"/g)].map(
  ([, words]) => words,
);
const said = [...spoken, ...written];
const places = (words) => [...new Set(words.match(/%\d/g))].sort();

describe('the Chinese catalogue', () => {
  it('has every text of sources and settings, and no other', () => {
    const { '': head, ...sentences } = catalogue;
    expect(head).toMatchObject({ domain: 'modelarts_magics', language: 'zh-CN' });
    expect(Object.keys(sentences).sort()).toEqual([...new Set(said)].sort());
  });

  it('has the placeholders of each text', () => {
    for (const words of said) {
      expect(places(catalogue[words][0]), words).toEqual(places(words));
    }
  });
});
