// @vitest-environment node
// Tests that all public TypeScript has TSDoc, and that each folder's purpose is described.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../src/', import.meta.url));
const names = readdirSync(root, { recursive: true }).filter((name) => /(?<!\.d)\.ts$/.test(name));
const parse = (name, text) => ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);

const modifiersOf = (node) => (ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []);
const hasModifier = (node, ...kinds) => modifiersOf(node).some(({ kind }) => kinds.includes(kind));
const hasDoc = (node) => ts.getJSDocCommentsAndTags(node).length > 0;
const nameOf = (node) =>
  node.name?.getText() ?? node.declarationList?.declarations[0].name.getText();

/** The public members of an exported class or interface; a setter has the TSDoc of its getter. */
function publicMembers(declaration) {
  return (declaration.members ?? []).filter(
    (member) =>
      member.name &&
      !ts.isPrivateIdentifier(member.name) &&
      !ts.isSetAccessorDeclaration(member) &&
      !hasModifier(member, ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword),
  );
}

/** The exported declarations and public members of a source file without TSDoc. */
function undocumented(name, text) {
  const missing = [];
  for (const node of parse(name, text).statements) {
    if (!hasModifier(node, ts.SyntaxKind.ExportKeyword)) {
      continue;
    }
    if (!hasDoc(node)) {
      missing.push(`${name}: ${nameOf(node)}`);
    }
    for (const member of publicMembers(node).filter((each) => !hasDoc(each))) {
      missing.push(`${name}: ${nameOf(node)}.${member.name.getText()}`);
    }
  }
  return missing;
}

describe('TSDoc', () => {
  it('exists for every exported declaration and public member', () => {
    expect(
      names.flatMap((name) => undocumented(name, readFileSync(join(root, name), 'utf8'))),
    ).toEqual([]);
  });

  it('would be reported as missing', () => {
    const text = `
      export const a = 1;
      /** Documented. */
      export interface B {
        readonly c: number;
        /** Documented. */
        d(): void;
      }
      /** Documented. */
      export class E { #f = 1; g(): void {} }
      const private_ = 2;`;
    expect(undocumented('x.ts', text)).toEqual(['x.ts: a', 'x.ts: B.c', 'x.ts: E.g']);
  });
});

describe('each folder', () => {
  const folders = [
    ...new Set(names.filter((name) => name.includes('/')).map((name) => name.split('/')[0])),
  ];

  it.each(folders)('%s says what it is for, exports and may import', (folder) => {
    const texts = names
      .filter((name) => name.startsWith(`${folder}/`))
      .map((name) =>
        readFileSync(join(root, name), 'utf8')
          .split('*/')[0]
          .replace(/\s+\*\s+/g, ' '),
      );
    const described = texts.filter((text) => text.includes(`The folder \`${folder}/\``));
    expect(described).toHaveLength(1);
    expect(described[0]).toMatch(/exports/);
    expect(described[0]).toMatch(/import/);
  });

  it('is found', () => {
    expect(folders).toContain('countdown');
  });
});
