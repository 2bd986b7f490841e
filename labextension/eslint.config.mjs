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
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 8],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // The countdown is also a page's widget with no Jupyter packages around it: it words in words.ts.
    files: ['src/countdown/**/*.ts'],
    rules: {
      'jupyter/no-untranslated-string': 'off',
      'no-restricted-imports': ['error', { patterns: ['../*', '@*'] }],
    },
  },
  {
    // Everything but panel and helper is small, and at work from the first moment.
    files: ['src/plugins.ts'],
    rules: { 'jupyter/prefer-lazy-imports': 'off' },
  },
  {
    // A describe() block is as long as the behaviour it lists.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-function-return-type': 'off',
      'max-lines-per-function': 'off',
      'max-lines': 'off',
      'jupyter/no-untranslated-string': 'off',
      // What a test makes ends with the test.
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
