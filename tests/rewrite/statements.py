"""The statements of an emitted function without what tells models apart that are the same: names and comments."""

import ast
import builtins


def statements(source, function="forward"):
    """A function of an emitted module: names numbered in the order in which they come, no comments, no docstrings."""
    (found,) = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    return ast.unparse(_Numbered().visit(found))


def with_turned_weights(text, turned):
    """Statements of a model whose weights, the arguments `turned`, were transposed, and so are their gradients."""
    return ast.unparse(_Turned(turned).visit(ast.parse(text)))


class _Numbered(ast.NodeTransformer):
    """Names of values, arguments and buffers become v0, v1, ..."""

    def __init__(self):
        self.known = {}

    def number(self, name):
        if name in dir(builtins) or name == "np" or name.startswith("_"):
            return name
        return self.known.setdefault(name, f"v{len(self.known)}")

    def visit_FunctionDef(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node):
        return ast.arg(self.number(node.arg))

    def visit_Name(self, node):
        return ast.Name(self.number(node.id))

    def visit_Attribute(self, node):
        of = node.value.id if isinstance(node.value, ast.Name) else ""
        value = self.visit(node.value)
        return ast.Attribute(value, self.number(f"{of}.{node.attr}") if of in ("work", "part") else node.attr)


class _Turned(ast.NodeTransformer):
    """``w.T`` for w and the other way round; and ``x.T @ d`` for ``d.T @ x``, which is the gradient's transpose."""

    def __init__(self, weights):
        self.weights = weights

    def visit_Name(self, node):
        return (
            ast.Attribute(node, "T") if node.id in self.weights and isinstance(node.ctx, ast.Load) else node
        )

    def visit_Attribute(self, node):
        if node.attr == "T" and isinstance(node.value, ast.Name) and node.value.id in self.weights:
            return node.value
        return self.generic_visit(node)

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.MatMult) and _is_turned(node.left):
            return ast.BinOp(ast.Attribute(node.right, "T"), node.op, node.left.value)
        return self.generic_visit(node)

    def visit_Call(self, node):
        if ast.unparse(node.func) == "np.dot" and _is_turned(node.args[0]):
            left, right = node.args
            node.args = [ast.Attribute(right, "T"), left.value]
            return node
        return self.generic_visit(node)


def _is_turned(node):
    return isinstance(node, ast.Attribute) and node.attr == "T"
