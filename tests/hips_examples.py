"""Programs as users of HIPS autograd write them, import lines and all.

`test_migration.py` runs this file with autograd, where it is installed, and with its
import lines rewritten for autograd_lite. Each program is a function that returns
(objective, parameters, results): a scalar function to differentiate, and whatever the
program computed. They follow the examples of HIPS autograd's repository in subject and
idiom, at small sizes.
"""

import autograd.numpy as np
import autograd.numpy.random as npr
import autograd.scipy.stats.multivariate_normal as mvn
import autograd.scipy.stats.norm as norm
import autograd.scipy.stats.t as t_distribution
from autograd import (
    checkpoint,
    elementwise_grad,
    grad,
    grad_and_aux,
    hessian,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_jvp,
    make_vjp,
    value_and_grad,
)
from autograd.builtins import tuple
from autograd.extend import defjvp, defvjp, primitive
from autograd.misc import flatten
from autograd.misc.flatten import flatten_func
from autograd.misc.optimizers import adam, rmsprop, sgd
from autograd.scipy.integrate import odeint
from autograd.scipy.signal import convolve
from autograd.scipy.special import logsumexp
from autograd.test_util import check_grads
from scipy.optimize import minimize


def logistic_regression():
    def sigmoid(x):
        return 0.5 * (np.tanh(x / 2.0) + 1)

    inputs = np.array([[0.5, 1.1, 0.8], [0.9, -1.1, 0.1], [0.1, 0.1, -1], [0.7, 3, 0]])
    targets = np.array([True, True, False, True])

    def training_loss(weights):
        chance = sigmoid(np.dot(inputs, weights))
        likelihoods = chance * targets + (1 - chance) * (1 - targets)
        return -np.sum(np.log(likelihoods))

    gradient = grad(training_loss)
    weights = np.array([0.2, -0.4, 1.3])
    check_grads(training_loss, modes=["rev"])(weights)
    for _ in range(50):
        weights -= gradient(weights) * 0.05
    return training_loss, weights, [weights]


def neural_net():
    rs = npr.RandomState(0)
    sizes = [5, 7, 3]

    def init_random_params(scale):
        return [
            (scale * rs.randn(m, n), scale * rs.randn(n))
            for m, n in zip(sizes[:-1], sizes[1:])
        ]

    def predict(params, inputs):
        for weights, bias in params:
            outputs = np.dot(inputs, weights) + bias
            inputs = np.tanh(outputs)
        return outputs - logsumexp(outputs, axis=1, keepdims=True)

    def l2_norm(params):
        flattened, _ = flatten(params)
        return np.dot(flattened, flattened)

    images = rs.randn(20, 5)
    labels = np.eye(3)[rs.randint(3, size=20)]

    def log_posterior(params, inputs, targets):
        log_prior = -0.1 * l2_norm(params)
        return log_prior + np.sum(predict(params, inputs) * targets)

    def objective(params, i=0):
        batch = slice(10 * (i % 2), 10 * (i % 2) + 10)
        return -log_posterior(params, images[batch], labels[batch])

    seen = []

    def callback(params, i, gradient):
        if i % 5 == 0:
            seen.append((objective(params, i), flatten(gradient)[0].copy()))

    params = init_random_params(0.3)
    settings = {"step_size": 0.05, "num_iters": 12, "callback": callback}
    trained = [f(grad(objective), params, **settings) for f in (adam, rmsprop, sgd)]
    return objective, params, [trained, seen]


def fluid_simulation():
    n, steps = 8, 3

    def project(vx, vy):
        p = np.zeros(vx.shape)
        h = 1.0 / n
        div = -0.5 * h * (np.roll(vx, -1, axis=0) - np.roll(vx, 1, axis=0))
        div = div - 0.5 * h * (np.roll(vy, -1, axis=1) - np.roll(vy, 1, axis=1))
        for _ in range(4):
            around = np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0)
            around = around + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)
            p = (div + around) / 4.0
        vx = vx - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)) / h
        vy = vy - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1)) / h
        return vx, vy

    def advect(f, vx, vy):
        rows, cols = f.shape
        cell_ys, cell_xs = np.meshgrid(np.arange(cols), np.arange(rows))
        center_xs = (cell_xs - vx).ravel()
        center_ys = (cell_ys - vy).ravel()
        left_ix = np.floor(center_xs).astype(int)
        top_ix = np.floor(center_ys).astype(int)
        rw = center_xs - left_ix
        bw = center_ys - top_ix
        left_ix, right_ix = np.mod(left_ix, rows), np.mod(left_ix + 1, rows)
        top_ix, bottom_ix = np.mod(top_ix, cols), np.mod(top_ix + 1, cols)
        upper = (1 - bw) * f[left_ix, top_ix] + bw * f[left_ix, bottom_ix]
        lower = (1 - bw) * f[right_ix, top_ix] + bw * f[right_ix, bottom_ix]
        return np.reshape((1 - rw) * upper + rw * lower, (rows, cols))

    def simulate(vx, vy, smoke):
        for _ in range(steps):
            new_vx, new_vy = advect(vx, vx, vy), advect(vy, vx, vy)
            vx, vy = project(new_vx, new_vy)
            smoke = advect(smoke, vx, vy)
        return smoke

    rs = npr.RandomState(1)
    smoke, target = rs.rand(n, n), rs.rand(n, n)

    def distance(params):
        vx, vy = np.reshape(params, (2, n, n))
        return np.mean((target - simulate(vx, vy, smoke)) ** 2)

    start = 0.1 * rs.randn(2 * n * n)
    options = {"maxiter": 5}
    found = minimize(
        value_and_grad(distance), start, jac=True, method="CG", options=options
    )
    return distance, start, [found.fun]


def tanh_to_any_order():
    def tanh(x):
        return (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-2 * x))

    x = np.linspace(-2, 2, 9)
    derivatives = [tanh]
    for _ in range(6):
        derivatives.append(elementwise_grad(derivatives[-1]))
    return lambda x: np.sum(derivatives[4](x)), x, [f(x) for f in derivatives]


def own_primitive():
    @primitive
    def log_sum_exp(x):
        """Compute log(sum(exp(x)))."""
        max_x = np.max(x)
        return max_x + np.log(np.sum(np.exp(x - max_x)))

    def log_sum_exp_vjp(ans, x):
        x_shape = x.shape
        return lambda g: np.full(x_shape, g) * np.exp(x - np.full(x_shape, ans))

    defvjp(log_sum_exp, log_sum_exp_vjp)
    defjvp(log_sum_exp, lambda x_dot, ans, x: np.sum(x_dot * np.exp(x - ans)))

    def example(y):
        return log_sum_exp(y**2)

    x = np.array([0.3, -1.2, 0.7])
    check_grads(example, modes=["fwd", "rev"], order=2)(x)
    return example, x, [grad(example)(x), hessian(example)(x)]


def black_box_variational_inference():
    d, samples = 2, 30

    def log_density(x, t):
        mu, log_sigma = x[:, 0], x[:, 1]
        sigma_density = norm.logpdf(log_sigma, 0, 1.35)
        mu_density = norm.logpdf(mu, 0, np.exp(log_sigma))
        return sigma_density + mu_density

    def unpack(params):
        return params[:d], params[d:]

    def variational_objective(params, t=0):
        rs = npr.RandomState(t)
        mean, log_std = unpack(params)
        entropy = 0.5 * d * (1.0 + np.log(2 * np.pi)) + np.sum(log_std)
        sample = rs.randn(samples, d) * np.exp(log_std) + mean
        return -(entropy + np.mean(log_density(sample, t)))

    start = np.concatenate([-np.ones(d), -2 * np.ones(d)])
    gradient = grad(variational_objective)
    found = adam(gradient, start, step_size=0.1, num_iters=40)
    return variational_objective, start, [found]


def recurrent_net():
    rs = npr.RandomState(2)
    n_in, n_hid, n_out = 4, 6, 4

    def sigmoid(x):
        return 0.5 * (np.tanh(x) + 1.0)

    def concat_and_multiply(weights, *args):
        ones = np.ones((args[0].shape[0], 1))
        return np.dot(np.hstack((*args, ones)), weights)

    params = {
        "init hiddens": 0.3 * rs.randn(1, n_hid),
        "change": 0.3 * rs.randn(n_in + n_hid + 1, n_hid),
        "gate": 0.3 * rs.randn(n_in + n_hid + 1, n_hid),
        "predict": 0.3 * rs.randn(n_hid + 1, n_out),
    }

    def predict(params, inputs):
        hiddens = np.repeat(params["init hiddens"], inputs.shape[1], axis=0)
        outputs = []
        for x in inputs:
            gate = sigmoid(concat_and_multiply(params["gate"], x, hiddens))
            new = np.tanh(concat_and_multiply(params["change"], x, hiddens))
            hiddens = gate * hiddens + (1 - gate) * new
            output = concat_and_multiply(params["predict"], hiddens)
            outputs.append(output - logsumexp(output, axis=1, keepdims=True))
        return outputs

    def log_likelihood(params, inputs, targets):
        logprobs = predict(params, inputs)
        loglik = 0.0
        for t in range(inputs.shape[0]):
            loglik += np.sum(logprobs[t] * targets[t])
        return loglik / inputs.shape[0]

    sequences = np.eye(n_in)[rs.randint(n_in, size=(6, 3))]

    def training_loss(params, i=0):
        return -log_likelihood(params, sequences[:-1], sequences[1:])

    trained = adam(grad(training_loss), params, step_size=0.1, num_iters=10)
    loss, gradient = value_and_grad(training_loss)(trained)
    return training_loss, params, [trained, loss, gradient]


def gaussian_mixture():
    rs = npr.RandomState(3)
    k, d = 2, 2
    data = np.concatenate([rs.randn(15, d) - 2, rs.randn(15, d) + 2])

    params = {
        "log proportions": 0.1 * rs.randn(k),
        "means": rs.randn(k, d),
        "lower triangles": np.zeros((k, d, d)) + np.eye(d),
    }

    def unpack(params):
        normalized = params["log proportions"] - logsumexp(params["log proportions"])
        return normalized, params["means"], params["lower triangles"]

    def log_likelihood(params, data):
        terms = []
        for log_proportion, mean, root in zip(*unpack(params)):
            cov = np.dot(root.T, root)
            terms.append(log_proportion + mvn.logpdf(data, mean, cov))
        return np.sum(logsumexp(np.vstack(terms), axis=0))

    def objective(params):
        return -log_likelihood(params, data)

    flattened, unflatten, start = flatten_func(objective, params)

    def scalar(x):
        return np.sum(flattened(x))

    found = minimize(
        scalar,
        start,
        jac=grad(scalar),
        hessp=hessian_vector_product(scalar),
        method="trust-ncg",
        options={"maxiter": 8},
    )
    return objective, params, [found.fun, unflatten(found.x)["means"]]


def convolutional_net():
    rs = npr.RandomState(4)
    images = rs.randn(4, 1, 8, 8)
    targets = np.eye(3)[rs.randint(3, size=4)]
    params = [
        0.3 * rs.randn(1, 2, 3, 3),
        0.3 * rs.randn(1, 2, 1, 1),
        0.3 * rs.randn(2 * 3 * 3, 3),
        0.3 * rs.randn(3),
    ]

    def convolved(inputs, filters, bias):
        # images: (image, channel, y, x); filters: (channel in, channel out, y, x)
        conv = convolve(
            inputs, filters, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid"
        )
        return np.maximum(conv + bias, 0.0)

    def max_pool(inputs, size):
        new_shape = inputs.shape[:2]
        for i in [0, 1]:
            new_shape += (inputs.shape[i + 2] // size, size)
        result = inputs.reshape(new_shape)
        return np.max(np.max(result, axis=3), axis=4)

    def loss(params, i=0):
        filters, bias, weights, final = params
        hidden = max_pool(convolved(images, filters, bias), 2)
        hidden = hidden.reshape((images.shape[0], -1))
        scores = np.dot(hidden, weights) + final
        logprobs = scores - logsumexp(scores, axis=1, keepdims=True)
        return -np.mean(np.sum(logprobs * targets, axis=1))

    trained = sgd(grad(loss), params, num_iters=6, step_size=0.2, mass=0.5)
    return loss, params, [trained, loss(trained)]


def gaussian_process():
    rs = npr.RandomState(5)
    x = np.linspace(-2, 2, 8)[:, None]
    y = np.sin(2 * x[:, 0]) + 0.1 * rs.randn(8)

    def rbf(params, x, xp):
        diffs = x[:, None, :] / np.exp(params[1:]) - xp[None, :, :] / np.exp(params[1:])
        return np.exp(params[0]) * np.exp(-0.5 * np.sum(diffs**2, axis=2))

    def log_marginal_likelihood(params):
        mean, noise = params[0], np.exp(params[1]) + 0.01
        cov = rbf(params[2:], x, x) + noise * np.eye(len(y))
        return mvn.logpdf(y, mean * np.ones(len(y)), cov)

    def objective(params):
        return -log_marginal_likelihood(params)

    def predict(params, xstar):
        cov = rbf(params[2:], x, x) + np.exp(params[1]) * np.eye(len(y))
        mean = np.dot(rbf(params[2:], xstar, x), np.linalg.solve(cov, y - params[0]))
        return np.reshape(params[0] + mean, (1, 1))  # one element, no scalar

    start = 0.1 * rs.randn(4)
    found = minimize(
        value_and_grad(objective),
        start,
        jac=True,
        method="BFGS",
        options={"gtol": 1e-8},
    )
    return objective, start, [found.fun, grad(predict)(start, np.array([[0.3]]))]


def learned_dynamics():
    times = np.linspace(0.0, 1.5, 5)

    def dynamics(y, t, matrix, rate):
        return np.dot(matrix, np.tanh(y)) - rate * y

    def loss(params):
        matrix, rate = params
        path = odeint(dynamics, np.array([1.0, 0.3]), times, tuple((matrix, rate)))
        return np.mean(path**2)

    params = (np.array([[-0.1, 1.0], [-1.0, -0.2]]), np.array([0.1, 0.4]))
    return loss, params, [grad(loss)(params)]


def robust_regression():
    rs = npr.RandomState(6)
    x, noise = rs.randn(30, 3), rs.standard_t(3, size=30)
    y = np.dot(x, np.array([1.0, -2.0, 0.5])) + noise

    def loss(weights, log_scale):
        residuals = y - np.einsum("ij,j->i", x, weights)
        return -np.sum(t_distribution.logpdf(residuals, 3.0, 0.0, np.exp(log_scale)))

    weights, log_scale = np.zeros(3), 0.1
    both = grad(loss, (0, 1))(weights, log_scale)
    second = grad(loss, argnum=1)(weights, log_scale)
    return lambda w: loss(w, log_scale), weights, [both, second]


def operators():
    def f(x):
        return np.array([x[0] * x[1], np.sin(x[1]), x[0] ** 2])

    def energy(x):
        return np.sum(f(x) ** 2)

    x, v = np.array([0.7, -0.4]), np.array([0.3, 2.0])
    pullback, y = make_vjp(f)(x)
    pushed = make_jvp(f)(x)(v)
    slope, aux = grad_and_aux(lambda x: (energy(x), 2 * x))(x)
    results = [
        y,
        pullback(np.ones(3)),
        pushed,
        slope,
        aux,
        jacobian(f)(x),
        hessian(f)(x),
    ]
    results += [hessian_vector_product(energy)(x, v), checkpoint(f)(x)]
    results += [holomorphic_grad(lambda z: np.exp(z) * z**2)(0.3 + 0.4j)]
    return lambda x: np.sum(checkpoint(f)(x) ** 3), x, results


PROGRAMS = [
    logistic_regression,
    neural_net,
    fluid_simulation,
    tanh_to_any_order,
    own_primitive,
    black_box_variational_inference,
    recurrent_net,
    gaussian_mixture,
    convolutional_net,
    gaussian_process,
    learned_dynamics,
    robust_regression,
    operators,
]
