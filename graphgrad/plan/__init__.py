"""What happens when, and what it takes: order, residuals, copies, memory."""
