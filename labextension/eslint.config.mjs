import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

const sources = ['src/**/*.ts', 'test/**/*.ts', 'vitest.config.ts'];

export default tseslint.config(
  { ignores: ['lib/', 'coverage/', 'node_modules/'] },
  { ...js.configs.recommended, files: ['**/*.mjs', ...sources] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: sources })),
  {
    files: sources,
    plugins: { jupyter },
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      ...jupyter.configs.recommended[0].rules,
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 8],
      eqeqeq: 'error',
      'line-comment-position': ['error', { position: 'above' }],
      'no-console': 'error',
    },
  },
  {
    // The countdown is also a widget in pages without JupyterLab, so it has its own texts in strings.ts
    // and imports nothing from other folders.
    files: ['src/countdown/**/*.ts'],
    rules: {
      'jupyter/no-untranslated-string': 'off',
      'no-restricted-imports': ['error', { patterns: ['../*', '@*'] }],
    },
  },
  {
    // All plugins except the panel and the helper kernel are small and used from the start.
    files: ['src/plugins.ts'],
    rules: { 'jupyter/prefer-lazy-imports': 'off' },
  },
  {
    // A describe() block has as many lines as it has tests.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-function-return-type': 'off',
      'max-lines-per-function': 'off',
      'jupyter/no-untranslated-string': 'off',
      // Objects that a test creates end with the test.
      'jupyter/require-disposable-ownership': 'off',
    },
  },
  {
    files: ['scripts/*.mjs', 'test/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        URL: 'readonly',
        document: 'readonly',
        globalThis: 'readonly',
      },
    },
  },
);
