/**
 * Lint rules of this project.
 *
 * `switchyard/function-length`: no function over 70 lines; tests, whose bodies are tables and
 * scripts, are not counted.
 *
 * @module
 */

/** Longest function, in lines. */
export const MAX_FUNCTION_LINES = 70;

const plugin: Deno.lint.Plugin = {
  name: "switchyard",
  rules: {
    "function-length": {
      create(context) {
        if (context.filename.endsWith("_test.ts")) return {};
        const check = (node: Deno.lint.Node) => {
          const lines = context.sourceCode.getText(node).split("\n").length;
          if (lines <= MAX_FUNCTION_LINES) return;
          context.report({
            node,
            message: `This function has ${lines} lines; at most ${MAX_FUNCTION_LINES} are allowed.`,
            hint: "Give a part of it a name of its own.",
          });
        };
        return {
          FunctionDeclaration: check,
          FunctionExpression: check,
          ArrowFunctionExpression: check,
        };
      },
    },
  },
};

export default plugin;
