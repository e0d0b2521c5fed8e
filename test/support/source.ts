// What a TypeScript source imports and declares, read by the compiler's own parser.
import ts from 'typescript';

export interface ModuleImport {
  from: string;
  /** Erased by the compiler: `import type`. With `verbatimModuleSyntax`, `import { type X }` is not. */
  typeOnly: boolean;
  /** `import()` */
  lazy: boolean;
}

export function moduleImports(source: string): ModuleImport[] {
  const found: ModuleImport[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ from: node.moduleSpecifier.text, typeOnly, lazy: false });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ from: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, lazy: false });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.push({ from: argument.text, typeOnly: false, lazy: true });
    } else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    ) {
      found.push({ from: node.argument.literal.text, typeOnly: true, lazy: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('module.ts', source, ts.ScriptTarget.Latest));
  return found;
}

/** Names of the members of an interface. */
export function membersOf(source: string, name: string): string[] {
  const file = ts.createSourceFile('module.ts', source, ts.ScriptTarget.Latest);
  const declared = file.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
  if (!declared) throw new Error(`there is no interface ${name}`);
  return (declared as ts.InterfaceDeclaration).members.map((member) => (member.name as ts.Identifier).text);
}
